package signature

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func archives(t *testing.T, dir string, run func(t *testing.T, file func(string) string)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/%s: %v", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			run(t, func(name string) string {
				for _, f := range archive.Files {
					if f.Name == name {
						return string(f.Data)
					}
				}
				return ""
			})
		})
	}
}

// TestVectors verifies the signed requests of RFC 9421: the base is the one printed there, the signature verifies, and
// what a scheme with default coverage answers is as written.
func TestVectors(t *testing.T) {
	s := newScheme(t, rfcKeys(t), func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Replay = v1alpha1.ReplayAllow })
	archives(t, "vectors", func(t *testing.T, file func(string) string) {
		r := readRequest(t, []byte(file("request")))
		want := strings.TrimSpace(file("want"))

		w := newWork()
		defer w.release()
		if err := s.profile.parse(r, &w.claim); err != nil {
			t.Fatal(err)
		}
		_, err := s.prove(context.Background(), r, w)
		if diff := cmp.Diff(strings.TrimSuffix(file("base"), "\n"), string(w.base)); diff != "" {
			t.Errorf("signature base (-want +got):\n%s", diff)
		}
		if verified := want != authz.ReasonBadSignature.String(); verified != (err == nil) {
			t.Errorf("prove: %v", err)
		}

		p, err := check(s, r)
		got := authz.ReasonOf(err).String()
		if err == nil {
			got = p.Subject
		}
		if got != want {
			t.Errorf("answer %q (%v), want %q", got, err, want)
		}
	})
}

// TestBases builds the component examples of RFC 9421 section 2.
func TestBases(t *testing.T) {
	archives(t, "bases", func(t *testing.T, file func(string) string) {
		r := readRequest(t, []byte(file("request")))
		if scheme := strings.TrimSpace(file("scheme")); scheme != "" {
			r.Scheme = scheme
		}
		got := ""
		for text := range strings.SplitSeq(strings.TrimSpace(file("cover")), "\n") {
			line, err := baseLine(r, text)
			if err != nil {
				t.Fatal(err)
			}
			got += line + "\n"
		}
		if diff := cmp.Diff(file("lines"), got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

// baseLine returns the line of a signature base for one component.
func baseLine(r *authz.Request, cover string) (string, error) {
	q := SignRequest{Cover: []string{cover}, Label: "sig1"}
	c, err := q.claim()
	if err != nil {
		return "", err
	}
	base, _, err := origin{}.appendBase(r, c, 0, nil)
	line, _, _ := strings.Cut(string(base), "\n")
	return line, err
}

// TestStructuredFieldExample is RFC 9421 section 2.1.1, whose example field is of no registered type.
func TestStructuredFieldExample(t *testing.T) {
	r := &authz.Request{Headers: []authz.Header{{Name: "example-dict", Value: "  a=1,    b=2;x=1;y=2,   c=(a   b   c)"}}}
	got, err := appendStructured(nil, r, "example-dict", typeDictionary)
	if want := "a=1, b=2;x=1;y=2, c=(a b c)"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestSignVectors signs the deterministic examples of RFC 9421 and gets their text.
func TestSignVectors(t *testing.T) {
	ed25519, err := ParsePrivateKey(testKey(t, "test-key-ed25519.private.pem"))
	if err != nil {
		t.Fatal(err)
	}
	request := SignRequest{
		Method: "POST", URL: "https://example.com/foo?param=Value&Pet=dog", Body: []byte(`{"hello": "world"}`), Created: created,
		Headers: []authz.Header{
			{Name: "Date", Value: "Tue, 20 Apr 2021 02:07:55 GMT"}, {Name: "Content-Type", Value: "application/json"},
			{Name: "Content-Length", Value: "18"},
		},
	}
	b25, b26 := request, request
	b25.KeyID, b25.Key, b25.Label = "test-shared-secret", sharedSecret(t), "sig-b25"
	b25.Cover = []string{"date", "@authority", "content-type"}
	b26.KeyID, b26.Key, b26.Label = "test-key-ed25519", ed25519, "sig-b26"
	b26.Cover = []string{"date", "@method", "@path", "@authority", "content-type", "content-length"}
	for _, c := range []struct {
		q    SignRequest
		want []authz.Header
	}{
		{b25, []authz.Header{
			{Name: "Signature-Input", Value: `sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`},
			{Name: "Signature", Value: `sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:`},
		}},
		{b26, []authz.Header{
			{Name: "Signature-Input", Value: `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`},
			{Name: "Signature", Value: `sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:`},
		}},
	} {
		got, err := Sign(c.q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got.Headers); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	}
}
