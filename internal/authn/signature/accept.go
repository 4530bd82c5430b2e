package signature

import (
	"fmt"

	"github.com/dunglas/httpsfv"
)

// acceptSignature writes the field that asks for a signature (RFC 9421 section 5.1). It names no key, and no nonce: a
// nonce there would be one for everybody.
func acceptSignature(label, tag string, identifiers, algorithms []string) (string, error) {
	if label == "" {
		label = "sig1"
	}
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, id := range identifiers {
		item, err := httpsfv.UnmarshalItem([]string{id})
		if err != nil {
			return "", fmt.Errorf("%s: %w", id, err)
		}
		list.Items = append(list.Items, item)
	}
	list.Params.Add("created", true)
	if len(algorithms) == 1 {
		list.Params.Add("alg", algorithms[0])
	}
	if tag != "" {
		list.Params.Add("tag", tag)
	}
	field := httpsfv.NewDictionary()
	field.Add(label, list)
	text, err := httpsfv.Marshal(field)
	if err != nil {
		return "", fmt.Errorf("rfc9421: label %q or tag %q cannot be written as a structured field: %w", label, tag, err)
	}
	return text, nil
}
