package v1alpha1

import (
	"errors"
	"testing"
)

func TestSecretEncoding(t *testing.T) {
	for _, tc := range []struct {
		encoding   SecretEncoding
		text, want string
		err        error
	}{
		{SecretText, "s", "s", nil},
		{"", "s\n", "s", nil},
		{SecretText, "s\r\n", "s", nil},
		{SecretText, " s\n\n", " s\n", nil},
		{SecretText, "s\r", "s\r", nil},
		{SecretText, "", "", nil},
		{SecretBase64, " c2VjcmV0\r\n", "secret", nil},
		{SecretBase64, "c2VjcmU=", "secre", nil},
		{SecretBase64, "c2VjcmU", "", errNotBase64},
		{SecretBase64, "c2VjcmV=", "", errNotBase64},
		{SecretBase64, "c2-_", "", errNotBase64},
	} {
		got, err := tc.encoding.Decode([]byte(tc.text))
		if string(got) != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s %q: got %q, %v; want %q, %v", tc.encoding, tc.text, got, err, tc.want, tc.err)
		}
	}
}
