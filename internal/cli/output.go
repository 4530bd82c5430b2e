package cli

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// format is -o: how what was asked for is printed.
type format string

// The formats. Text is for people, and each command has its own.
const (
	asText format = "text"
	asJSON format = "json"
	asYAML format = "yaml"
)

// formatOf reads -o.
func formatOf(cmd *cobra.Command) (format, error) {
	o, _ := cmd.Flags().GetString("output")
	switch f := format(o); f {
	case asText, asJSON, asYAML:
		return f, nil
	default:
		return "", usagef("--output %q: must be text, json or yaml", o)
	}
}

// print writes v as YAML or as indented JSON.
func (f format) print(w io.Writer, v any) error {
	text, err := marshal(v)
	if err != nil {
		return err
	}
	if f == asYAML {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	var indented bytes.Buffer // protojson changes its spaces from build to build, so that nobody compares its text
	if err := json.Indent(&indented, bytes.TrimSpace(text), "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = indented.WriteTo(w)
	return err
}

// marshal returns the JSON of v. Of a message of the admin API it has fields that are empty, too, so that scripts find
// them.
func marshal(v any) ([]byte, error) {
	if m, ok := v.(proto.Message); ok {
		return protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return text.Bytes(), err
}
