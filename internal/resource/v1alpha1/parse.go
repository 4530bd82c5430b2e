package v1alpha1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// errSecondDocument says that more follows where the document should have ended.
var errSecondDocument = errors.New("more follows after the end of the document")

// parse returns the outermost value of a document.
func parse(text []byte) (*yaml.Node, error) {
	roots, err := parseAll(text, 1)
	if err != nil {
		return nil, err
	}
	return roots[0], nil
}

// parseAll returns the outermost values of n documents, of which text consists.
func parseAll(text []byte, n int) (roots []*yaml.Node, err error) {
	defer func() {
		// The parser panics where it finds itself inconsistent. Its input comes from strangers.
		if p := recover(); p != nil {
			roots, err = nil, fmt.Errorf("the parser cannot read it: %v", p)
		}
	}()
	in := yaml.NewDecoder(bytes.NewReader(text))
	for range n {
		var doc yaml.Node
		if err := in.Decode(&doc); err != nil {
			return nil, err
		}
		roots = append(roots, doc.Content[0])
	}
	var more yaml.Node
	if err := in.Decode(&more); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errSecondDocument
		}
		return nil, err
	}
	return roots, nil
}

// notInRuns are what begins an anchor, and the line ends of YAML 1.1 that YAML 1.2 dropped: NEL, LS and PS.
var notInRuns = [][]byte{[]byte("&"), []byte("\u0085"), []byte("\u2028"), []byte("\u2029")}

// runLength is how many documents one parser reads.
const runLength = 32

// parseRun parses documents that follow each other with one parser, which saves a quarter of the work. Where that could
// go otherwise than parsing each by itself, its answers are nil: in the presence of an error, of an anchor, which the
// parser remembers beyond its document, or of a line end that split does not know.
func parseRun(data []byte, parts []part) []*yaml.Node {
	none := make([]*yaml.Node, len(parts))
	for i := range parts[1:] {
		if parts[i].end != parts[i+1].begin {
			return none
		}
	}
	text := data[parts[0].begin:parts[len(parts)-1].end]
	if len(text) > MaxDocument || slices.ContainsFunc(notInRuns, func(s []byte) bool { return bytes.Contains(text, s) }) {
		return none
	}
	roots, err := parseAll(text, len(parts))
	if err != nil {
		return none
	}
	for i, root := range roots {
		line := parts[0].line - 1 + root.Line
		if line < parts[i].line || i+1 < len(parts) && line >= parts[i+1].line {
			return none
		}
		shift(root, parts[i].line-parts[0].line)
	}
	return roots
}

// shift makes lines count from the document's first.
func shift(n *yaml.Node, lines int) {
	n.Line -= lines
	for _, c := range n.Content {
		shift(c, lines)
	}
}

// syntaxError says where the YAML is broken. The parser tells the line in its text only.
func syntaxError(o Origin, err error) *Error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if n, _ := fmt.Sscanf(message, "line %d:", &line); n == 1 {
		_, message, _ = strings.Cut(message, ": ")
	}
	return &Error{
		File: o.File, Line: o.first - 1 + line, Message: "this is not YAML: " + message,
		Remedy: "check indentation, quotes and brackets; put --- on a line of its own between documents",
	}
}
