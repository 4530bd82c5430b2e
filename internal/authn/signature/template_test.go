package signature

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// fullText covers all that can be covered, and cannot be read in two ways.
const fullText = `{timestamp}\n{method}\n{host}\n{target}\n{header:X-Env}\n{nonce}\n{key_id}\n{body_sha256_hex}`

const templateSecret authz.Secret = "a secret of the test, and nothing else"

// describe returns a format with that text.
func describe(text string) *v1alpha1.SignatureTemplate {
	return &v1alpha1.SignatureTemplate{
		Text:      text,
		Algorithm: "hmac-sha256",
		Signature: v1alpha1.TemplateSignature{Header: "X-Signature", Prefix: "v1=", Encoding: v1alpha1.EncodingHex},
		KeyID:     &v1alpha1.TemplateField{Header: "X-Key-Id"},
		Timestamp: &v1alpha1.TemplateTimestamp{Header: "X-Timestamp", Unit: v1alpha1.UnitSeconds},
		Nonce:     &v1alpha1.TemplateField{Header: "X-Nonce"},
	}
}

// templated returns a scheme of that format; edit, unless nil, changes the spec and the options first.
func templated(t testing.TB, d *v1alpha1.SignatureTemplate, edit func(*v1alpha1.SignatureScheme, *Options)) *scheme {
	t.Helper()
	store := keys{}
	store.add("rfc", &keystore.SigningKey{ID: "client", Secret: templateSecret})
	return newScheme(t, store, func(spec *v1alpha1.SignatureScheme, o *Options) {
		spec.Profile, spec.Template = v1alpha1.ProfileTemplate, d
		if d.KeyID == nil {
			spec.App = "client"
		}
		if edit != nil {
			edit(spec, o)
		}
	})
}

// templateRequest is a request with a body, to be signed in that format.
func templateRequest(d *v1alpha1.SignatureTemplate) SignRequest {
	return SignRequest{
		Profile: v1alpha1.ProfileTemplate, Template: d, KeyID: "client", Key: templateSecret, Created: created, Nonce: "n-1",
		Method: "POST", URL: "https://example.com:8443/orders/7?page=2&page=1&all", Body: []byte(`{"item": 7}`),
		Headers: []authz.Header{{Name: "X-Env", Value: "prod"}},
	}
}

// TestTemplateVectors verifies the published examples of formats that a template can describe, and some of no vendor.
func TestTemplateVectors(t *testing.T) {
	archives(t, "template", func(t *testing.T, file func(string) string) {
		var spec v1alpha1.SignatureScheme
		if err := yaml.UnmarshalStrict([]byte(file("scheme")), &spec); err != nil {
			t.Fatal(err)
		}
		secret := authz.Secret(strings.TrimSuffix(file("secret"), "\n"))
		if encoded, ok := strings.CutPrefix(secret.Reveal(), "base64:"); ok {
			raw, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			secret = authz.Secret(raw)
		}
		store := keys{}
		store.add("rfc", &keystore.SigningKey{ID: "client", Secret: secret})
		s := newScheme(t, store, func(o *v1alpha1.SignatureScheme, _ *Options) {
			*o = spec
			o.Profile, o.Replay = v1alpha1.ProfileTemplate, v1alpha1.ReplayAllow
		})
		r := readRequest(t, []byte(file("request")))
		seconds, err := strconv.ParseInt(strings.TrimSpace(file("now")), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		r.Now = time.Unix(seconds, 0)

		w := newWork()
		defer w.release()
		if err := s.profile.parse(r, &w.claim); err != nil {
			t.Fatal(err)
		}
		_, err = s.prove(context.Background(), r, w)
		if diff := cmp.Diff(strings.TrimSuffix(file("text"), "\n"), string(w.base)); diff != "" || err != nil {
			t.Errorf("prove: %v; text (-want +got):\n%s", err, diff)
		}
		p, err := check(s, r)
		if want := strings.TrimSpace(file("want")); err != nil || p.Subject != want {
			t.Errorf("got %v, %v, want %s", p, err, want)
		}
	})
}

// TestTemplateSigned signs and verifies in every algorithm, encoding and unit, with a key id on the wire and without.
func TestTemplateSigned(t *testing.T) {
	for _, algorithm := range v1alpha1.ProfileTemplate.Algorithms() {
		for encoding := range templateEncodings {
			for unit := range timeUnits {
				for _, keyless := range []bool{false, true} {
					d := describe(fullText)
					d.Algorithm, d.Signature.Encoding, d.Timestamp.Unit = algorithm, encoding, unit
					if keyless {
						d.KeyID, d.Text = nil, strings.Replace(d.Text, `{key_id}\n`, "", 1)
					}
					p, err := check(templated(t, d, nil), signed(t, templateRequest(d)))
					if err != nil || p.Subject != "app:rfc/client" {
						t.Errorf("%s %s %s keyless %t: got %v, %v", algorithm, encoding, unit, keyless, p, err)
					}
				}
			}
		}
	}
}

// TestTemplateSign shows the whole of what signing gives, and that it leaves alone what the request has.
func TestTemplateSign(t *testing.T) {
	d := describe(`{timestamp}\n{method}\n{host}\n{target}\n{nonce}\n{body_sha256_hex}`)
	q := templateRequest(d)
	q.Body = nil
	q.Headers = []authz.Header{{Name: "X-Nonce", Value: "mine"}}
	got, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	text := "1618884473\nPOST\nexample.com:8443\n/orders/7?page=2&page=1&all\nmine\n" +
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	want := &Signed{
		URL: q.URL, Base: text,
		Headers: []authz.Header{
			{Name: "X-Key-Id", Value: "client"}, {Name: "X-Timestamp", Value: "1618884473"},
			// Computed with Python's hmac.
			{Name: "X-Signature", Value: "v1=c56f4fb091aa08bf7971b87e55bd0e91e4fbd7077d1b4bd4d6cf1be7b4ab7438"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signed (-want +got):\n%s", diff)
	}

	q = templateRequest(d)
	q.Nonce = ""
	first, second := signed(t, q), signed(t, q)
	if a, b := header(first, "x-nonce"), header(second, "x-nonce"); a == "" || a == b {
		t.Errorf("nonces %q and %q, want two", a, b)
	}
	if _, err := check(templated(t, d, nil), first); err != nil {
		t.Error(err)
	}
}

func TestTemplateSignErrors(t *testing.T) {
	for text, edit := range map[string]func(*SignRequest){
		"template: is missing; describe the format":                   func(q *SignRequest) { q.Template = nil },
		"template.text: a { is not closed":                            func(q *SignRequest) { q.Template.Text = "{path" },
		"algorithm: ed25519 is not the template's, which is hmac":     func(q *SignRequest) { q.Algorithm = "ed25519" },
		`url "/x": use an absolute http or https URL`:                 func(q *SignRequest) { q.URL = "/x" },
		"keyId: is missing; the template sends it in X-Key-Id":        func(q *SignRequest) { q.KeyID = "" },
		"created: is missing; the template signs {timestamp}":         func(q *SignRequest) { q.Created = time.Time{} },
		"{header:X-Env}: it is covered, but not in the request":       func(q *SignRequest) { q.Headers = nil },
		`the key does not fit algorithm "hmac-sha256"`:                func(q *SignRequest) { q.Key = authz.Secret("") },
		`template.signature.encoding: "base32" is not known; use hex`: func(q *SignRequest) { q.Template.Signature.Encoding = "base32" },
	} {
		q := templateRequest(describe(fullText))
		edit(&q)
		if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, %v, want …%s…", got, err, text)
		}
	}
}

// TestTemplateText has what a text may be, and what it then stands for.
func TestTemplateText(t *testing.T) {
	r := signed(t, templateRequest(describe(fullText)))
	for text, want := range map[string]string{
		"":                                 "",
		"plain {{text}} {{{method}}}":      "plain {text} {POST}",
		`\\n\n\t\\`:                        "\\n\n\t\\",
		"{header:x-env}|{header:X-ENV}":    "prod|prod",
		"{header:Host}":                    "example.com:8443",
		"{method}{target}{timestamp}":      "POST/orders/7?page=2&page=1&all1618884473",
		"{scheme}://{host}{path}?{query}":  "https://example.com:8443/orders/7?page=2&page=1&all",
		"{timestamp}{method_lower}{path}":  "1618884473post/orders/7",
		"{query_sorted}{body_sha256_hex}":  "all&page=1&page=229d77365e0b45b3e0a5af5543acb1874e68b4a13bf7df891503391a0268a6a02",
		"{body_md5_b64}{body}":             "",
		"{path}{timestamp}{body_md5_b64}é": "",
	} {
		d := describe(text)
		compiled, err := compileText(d)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := compiled.append(origin{}, r, nil)
		if err != nil || want != "" && !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestQuerySorted orders parameters by name and then by value, as bytes on the wire.
func TestQuerySorted(t *testing.T) {
	for query, want := range map[string]string{
		"":                    "",
		"b=2&a=1":             "a=1&b=2",
		"a=2&a=1":             "a=1&a=2",
		"id-type=1&id=2":      "id=2&id-type=1", // "id=2" sorts after "id-type=1", the name id before id-type
		"b&a&&=x":             "&=x&a&b",
		"a=&a":                "a&a=",
		"a=1=0&a=1":           "a=1&a=1=0",
		"a=%2f&a=/&A=1&a=%2F": "A=1&a=%2F&a=%2f&a=/",
		"z=+&z=%20":           "z=%20&z=+",
	} {
		got, err := insertQuerySorted(origin{}, &authz.Request{Query: query}, "", nil)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", query, got, err, want)
		}
	}
	r := &authz.Request{Query: strings.Repeat("a&", maxParameters-1)}
	if _, err := insertQuerySorted(origin{}, r, "", nil); err != nil {
		t.Error(err)
	}
	r.Query += "&"
	if _, err := insertQuerySorted(origin{}, r, "", nil); err == nil {
		t.Error("sorted too many")
	}
}

// TestTemplateAccepted has the ways in which a good request may differ from the plainest one.
func TestTemplateAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		format  string
		spec    func(*v1alpha1.SignatureScheme, *Options)
		request func(*authz.Request)
	}{
		"untrimmed": {format: fullText, request: func(r *authz.Request) {
			for i := range r.Headers {
				r.Headers[i].Value = " \t" + r.Headers[i].Value + " "
			}
		}},
		"upper-case hex": {format: fullText, request: func(r *authz.Request) {
			setHeader(r, "x-signature", "v1="+strings.ToUpper(strings.TrimPrefix(header(r, "x-signature"), "v1=")))
		}},
		"map mode":               {format: fullText, request: func(r *authz.Request) { r.RawHeaders = false }},
		"query in another order": {format: sortedText, request: func(r *authz.Request) { r.Query = "all&page=1&page=2" }},
		"external": {format: `{scheme}://` + fullText,
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
				s.External = &v1alpha1.ExternalOrigin{Scheme: "https", Authority: "example.com:8443"}
			},
			request: func(r *authz.Request) { r.Scheme, r.Host = "http", "orders.internal" },
		},
		"body unbound": {format: `{timestamp}\n{method}\n{host}\n{target}\n{nonce}`,
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyUnbound },
		},
		"less covered, no body": {format: `{timestamp}\n{nonce}`,
			spec:    func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{"timestamp"} },
			request: func(r *authz.Request) { r.Body, r.Path, r.Host = authz.Body{}, "/x", "x" },
		},
		"empty body unknown": {format: fullText, request: func(r *authz.Request) {
			d := describe(fullText)
			q := templateRequest(d)
			q.Body = nil
			*r = *signed(t, q)
			r.Body = authz.Body{State: authz.BodyUnknown}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := describe(c.format)
			r := signed(t, templateRequest(d))
			if c.request != nil {
				c.request(r)
			}
			if _, err := check(templated(t, d, c.spec), r); err != nil {
				t.Error(err)
			}
		})
	}

	// Where the body is not covered a request that has one is refused, unless body: Unbound says that it need not be.
	d := describe(`{timestamp}\n{nonce}`)
	less := templated(t, d, func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{"timestamp"} })
	p, err := check(less, signed(t, templateRequest(d)))
	wantRefused(t, p, err, authz.ReasonNotCovered, "does not bind the body")
}

// TestTemplateAuthorization leaves other schemes' credentials in Authorization alone.
func TestTemplateAuthorization(t *testing.T) {
	d := describe(fullText)
	d.Signature.Header, d.Signature.Prefix = "Authorization", "ACME "
	s, good := templated(t, d, nil), signed(t, templateRequest(d))
	value := header(good, "authorization")
	for presented, want := range map[string]authz.Reason{
		value:                authz.ReasonAuthenticated,
		"Bearer x":           authz.ReasonNoCredential,
		"Basic x,Bearer y":   authz.ReasonNoCredential,
		"AC":                 authz.ReasonNoCredential,
		"":                   authz.ReasonNoCredential,
		"ACME":               authz.ReasonNoCredential, // no credential of any scheme
		"acme" + value[4:]:   authz.ReasonMalformedCredential,
		"ACME  " + value[5:]: authz.ReasonMalformedCredential,
		value + ",Bearer x":  authz.ReasonAmbiguousCredential,
		"ACME " + value:      authz.ReasonMalformedCredential,
		strings.TrimSuffix(value, value[len(value)-2:]): authz.ReasonBadSignature,
	} {
		setHeader(good, "authorization", presented)
		_, err := check(s, good)
		got := authz.ReasonAuthenticated
		if err != nil {
			got = authz.ReasonOf(err)
		}
		if got != want {
			t.Errorf("%q: got %v, want %v", presented, err, want)
		}
	}
}

// TestTemplateReplay accepts a nonce once, whatever it stands in, and what was signed once where there is none.
func TestTemplateReplay(t *testing.T) {
	d := describe(fullText)
	s := templated(t, d, nil)
	q := templateRequest(d)
	if _, err := check(s, signed(t, q)); err != nil {
		t.Fatal(err)
	}
	p, err := check(s, signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "accepted before")
	q.URL = "https://example.com:8443/another"
	p, err = check(s, signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "accepted before")
	q.Nonce = "n-2"
	if _, err := check(s, signed(t, q)); err != nil {
		t.Error(err)
	}

	d = describe(`{method}\n{host}\n{target}\n{body_sha256_hex}`)
	d.Timestamp, d.Nonce = nil, nil
	timeless := templated(t, d, func(s *v1alpha1.SignatureScheme, _ *Options) {
		s.Cover = []string{"method", "host", "path", "query", "body"}
	})
	q = templateRequest(d)
	if _, err := check(timeless, signed(t, q)); err != nil {
		t.Fatal(err)
	}
	p, err = check(timeless, signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "accepted before")
	q.URL = "https://example.com:8443/another"
	if _, err := check(timeless, signed(t, q)); err != nil {
		t.Error(err)
	}
}

// TestTemplateChallenge tells where the signature goes.
func TestTemplateChallenge(t *testing.T) {
	got := templated(t, describe(fullText), nil).Challenge("shop")
	want := authz.Challenge{Scheme: "Signature", Params: []authz.Field{{Name: "realm", Value: "shop"}, {Name: "header", Value: "X-Signature"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("challenge (-want +got):\n%s", diff)
	}
}
