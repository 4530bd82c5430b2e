package v1alpha1

import (
	"bytes"
	"strings"
)

// part is where one document stands in its file, with its marker.
type part struct {
	begin, end int // bytes
	line       int // of its first byte
}

// split cuts a stream into documents and leaves out those without content. A line that begins with --- or ... is a
// marker wherever it stands (YAML 1.2.2 section 9.1.2), so documents can be told apart without parsing them.
func split(data []byte) []part {
	var parts []part
	first := len(data) - len(bytes.TrimPrefix(data, []byte("\ufeff")))
	begin, line := first, 1 // of the current document
	end := func(at, lines int) {
		if hasContent(data[begin:at]) {
			parts = append(parts, part{begin: begin, end: at, line: line})
		}
		begin, line = at, lines
	}
	for at, n := first, 1; at < len(data); n++ {
		next := at + lineLength(data[at:])
		switch text := data[at:next]; {
		case isMarker(text, "---"):
			end(at, n)
		case isMarker(text, "..."):
			end(next, n+1)
		}
		at = next
	}
	end(len(data), 0)
	return parts
}

// lineLength returns the length of the first line with its end: LF, CR LF, or CR alone.
func lineLength(data []byte) int {
	lf := bytes.IndexByte(data, '\n')
	if lf < 0 {
		lf = len(data) - 1
	}
	if cr := bytes.IndexByte(data[:lf+1], '\r'); cr >= 0 && cr+1 < lf {
		return cr + 1
	}
	return lf + 1
}

// isMarker reports whether the line begins with the marker as a word of its own.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// hasContent reports whether anything but comments and markers is in the text.
func hasContent(text []byte) bool {
	for len(text) > 0 {
		n := lineLength(text)
		line := text[:n]
		text = text[n:]
		if isMarker(line, "---") || isMarker(line, "...") {
			line = line[len("---"):]
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}
