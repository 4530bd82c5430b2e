package v1alpha1

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// errNotBase64 does not repeat the text: it is a secret, though not in the form that was promised.
var errNotBase64 = errors.New("the secret is not base64")

// Decode returns the secret that a text holds. One final newline does not count; with Base64, no white space around the
// text does.
func (e SecretEncoding) Decode(text []byte) ([]byte, error) {
	if e == SecretBase64 {
		secret, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(text)))
		if err != nil {
			return nil, errNotBase64
		}
		return secret, nil
	}
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		text = bytes.TrimSuffix(line, []byte("\r"))
	}
	return text, nil
}
