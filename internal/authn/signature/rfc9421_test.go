package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestReprDigest binds a body by Repr-Digest where the body is the representation.
func TestReprDigest(t *testing.T) {
	const wrongDigest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
	field := func(name, value string) authz.Header { return authz.Header{Name: name, Value: value} }
	for name, c := range map[string]struct {
		method  string
		headers []authz.Header
		cover   []string
		body    string
		reason  authz.Reason
		text    string
	}{
		"alone":              {headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{"repr-digest"}},
		"as structured":      {headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{"repr-digest;sf"}},
		"beside the other":   {headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{"content-digest", "repr-digest"}},
		"other body":         {headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{"repr-digest"}, body: "x", reason: authz.ReasonBodyMismatch, text: "digest in Repr-Digest"},
		"not covered":        {headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{"@path"}, reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"member":             {headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{`repr-digest;key="sha-256"`}, reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"patch":              {method: "PATCH", headers: []authz.Header{field("Repr-Digest", rightDigest)}, cover: []string{"repr-digest"}, reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"a part":             {headers: []authz.Header{field("Repr-Digest", rightDigest), field("Content-Range", "bytes 0-10/20")}, cover: []string{"repr-digest"}, reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"patch, not counted": {method: "PATCH", headers: []authz.Header{field("Repr-Digest", wrongDigest)}, cover: []string{"content-digest"}},
		"no digest in it":    {headers: []authz.Header{field("Repr-Digest", "md5=:AAAA:")}, cover: []string{"repr-digest"}, reason: authz.ReasonNotCovered, text: "Repr-Digest holds neither"},
		"broken":             {headers: []authz.Header{field("Repr-Digest", "sha-256=x")}, cover: []string{"repr-digest"}, reason: authz.ReasonMalformedCredential, text: "Repr-Digest is not a dictionary"},
		"one of both wrong":  {headers: []authz.Header{field("Repr-Digest", wrongDigest)}, cover: []string{"content-digest"}, reason: authz.ReasonBodyMismatch, text: "digest in Repr-Digest"},
		"right one added": {
			headers: []authz.Header{field("Repr-Digest", "md5=:AAAA:"), field("Content-Digest", rightDigest)},
			cover:   []string{"repr-digest"}, reason: authz.ReasonNotCovered, text: "Repr-Digest holds neither",
		},
		"wrong one added": {
			headers: []authz.Header{field("Repr-Digest", rightDigest), field("Content-Digest", wrongDigest)},
			cover:   []string{"repr-digest"}, reason: authz.ReasonBodyMismatch, text: "digest in Content-Digest",
		},
		"on two lines, the second wrong": {
			headers: []authz.Header{field("Content-Digest", rightDigest), field("Content-Digest", "sha-512=:AAAA:")},
			cover:   []string{"content-digest"}, reason: authz.ReasonBodyMismatch, text: "digest in Content-Digest",
		},
		"on two lines, the same": {
			headers: []authz.Header{field("Content-Digest", rightDigest), field("Content-Digest", rightDigest)},
			cover:   []string{"content-digest"}, reason: authz.ReasonMalformedCredential, text: "each algorithm once",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := order(t)
			if c.method != "" {
				q.Method = c.method
			}
			q.Headers = append(q.Headers, c.headers...)
			q.Cover = append([]string{"@method", "@authority", "@request-target"}, c.cover...)
			r := signed(t, q)
			if c.body != "" {
				r.Body.Bytes = []byte(c.body)
			}
			p, err := check(newScheme(t, rfcKeys(t), nil), r)
			if c.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefused(t, p, err, c.reason, c.text)
		})
	}
}

// TestFieldLines reads Signature-Input and Signature that stand on several lines as one (RFC 9421 section 4).
func TestFieldLines(t *testing.T) {
	two := func() *authz.Request {
		r := signed(t, order(t))
		r.Headers = append(r.Headers,
			authz.Header{Name: "signature", Value: "other=:AAAA:"}, authz.Header{Name: "signature-input", Value: `other=("@path");tag="other"`})
		return r
	}
	labelled := newScheme(t, rfcKeys(t), func(spec *v1alpha1.SignatureScheme, _ *Options) {
		spec.RFC9421 = &v1alpha1.RFC9421Options{Label: "sig1"}
	})
	if _, err := check(labelled, two()); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*authz.Request){
		"label on two input lines": func(r *authz.Request) {
			r.Headers = append(r.Headers, authz.Header{Name: "signature-input", Value: `other=()`})
		},
		"label on two signature lines": func(r *authz.Request) {
			r.Headers = append(r.Headers, authz.Header{Name: "signature", Value: `other=::`})
		},
		"label in Signature-Input only": func(r *authz.Request) {
			r.Headers = append(r.Headers, authz.Header{Name: "signature-input", Value: `third=()`})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := two()
			spoil(r)
			p, err := check(labelled, r)
			wantRefused(t, p, err, authz.ReasonMalformedCredential, "same labels, each once")
		})
	}
}

// TestParametersOfComponents tells components by name and parameters, and refuses one that is there twice.
func TestParametersOfComponents(t *testing.T) {
	sign := func(extra string) *authz.Request {
		q := order(t)
		q.Headers = append(q.Headers, authz.Header{Name: "Priority", Value: "u=3, i"})
		r := signed(t, q)
		setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), `("@method"`, `(`+extra+` "@method"`, 1))
		return r
	}
	for _, good := range []string{`"priority" "priority";sf`, `"priority";key="u" "priority";key="i" "priority"`, `"@query-param";name="page"`} {
		r := sign(good)
		resign(t, r, "")
		if _, err := check(newScheme(t, rfcKeys(t), nil), r); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{`"priority";key="u" "priority"; key="u"`, `"@query-param";name="page" "@query-param";name="page"`, `"priority";sf "priority";sf=?1`} {
		p, err := check(newScheme(t, rfcKeys(t), nil), sign(bad))
		wantRefused(t, p, err, authz.ReasonMalformedCredential, "a component is covered twice")
	}
}

// TestEmptyAlgorithm takes alg="" for a name, of no algorithm, and not for its absence.
func TestEmptyAlgorithm(t *testing.T) {
	r := signed(t, order(t))
	setHeader(r, "signature-input", header(r, "signature-input")+`;alg=""`)
	p, err := check(newScheme(t, rfcKeys(t), nil), r)
	wantRefused(t, p, err, authz.ReasonMalformedCredential, "alg is empty")
}

// TestForms refuses signatures that are right in another form than RFC 9421's: PSS with another salt, ECDSA in ASN.1.
func TestForms(t *testing.T) {
	private := map[string]any{}
	for _, name := range []string{"test-key-rsa", "test-key-ecc-p256"} {
		key, err := ParsePrivateKey(testKey(t, name+".private.pem"))
		if err != nil {
			t.Fatal(err)
		}
		private[name] = key
	}
	for name, c := range map[string]struct {
		key  string
		sign func(base []byte) ([]byte, error)
	}{
		"PSS with the longest salt": {"test-key-rsa", func(base []byte) ([]byte, error) {
			return rsa.SignPSS(rand.Reader, private["test-key-rsa"].(*rsa.PrivateKey), crypto.SHA512, sum512(base), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto})
		}},
		"PSS with SHA-256": {"test-key-rsa", func(base []byte) ([]byte, error) {
			return rsa.SignPSS(rand.Reader, private["test-key-rsa"].(*rsa.PrivateKey), crypto.SHA256, sum256(base), &rsa.PSSOptions{SaltLength: 64})
		}},
		"ECDSA in ASN.1": {"test-key-ecc-p256", func(base []byte) ([]byte, error) {
			return ecdsa.SignASN1(rand.Reader, private["test-key-ecc-p256"].(*ecdsa.PrivateKey), sum256(base))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			q := order(t)
			q.KeyID, q.Key = c.key, private[c.key]
			out, err := Sign(q)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := c.sign([]byte(out.Base))
			if err != nil {
				t.Fatal(err)
			}
			r := signed(t, q)
			setHeader(r, "signature", "sig1="+byteSequence(sig))
			p, err := check(newScheme(t, rfcKeys(t), nil), r)
			wantRefused(t, p, err, authz.ReasonBadSignature, "does not verify")
		})
	}
}

// TestResponseVector is RFC 9421 appendix B.2.4: a response, which is never asked about, shows ecdsa-p256-sha256.
func TestResponseVector(t *testing.T) {
	base := `"@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`
	sig, ok := appendBase64(nil, "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==")
	key := rfcKeys(t)["test-key-ecc-p256"][0].Signing
	if !ok || !ecdsaP256.verify(key, []byte(base), sig) {
		t.Error("does not verify")
	}
	if ecdsaP256.verify(key, []byte(strings.Replace(base, "200", "201", 1)), sig) {
		t.Error("verifies another status")
	}
	r := &authz.Request{Headers: []authz.Header{{
		Name: "content-digest", Value: "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
	}}}
	if err := checkDigests(r, []byte(`{"message": "good dog"}`)); err != nil {
		t.Error(err)
	}
}

// TestWebBotAuth verifies published vectors with a key whose id is the thumbprint of its JWK.
func TestWebBotAuth(t *testing.T) {
	const jwk = `{"kty":"OKP","crv":"Ed25519","kid":"test-key-ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}`
	key, err := keystore.NewPublicKey(thumbprint(t, jwk, "crv", "kty", "x"), jwk, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rfcKeys(t)["test-key-ed25519"][0].Signing.PublicKey, key.PublicKey); diff != "" {
		t.Fatalf("the JWK is another key than the PEM (-want +got):\n%s", diff)
	}
	store := keys{}
	store.add("rfc", key)
	archives(t, "web-bot-auth", func(t *testing.T, file func(string) string) {
		s := newScheme(t, store, func(spec *v1alpha1.SignatureScheme, _ *Options) {
			spec.RFC9421 = &v1alpha1.RFC9421Options{Tag: "web-bot-auth"}
			spec.Cover = strings.Split(strings.TrimSpace(file("cover")), "\n")
		})
		r := readRequest(t, []byte(file("request")))
		r.Now = time.Unix(1735689660, 0)
		w := newWork()
		defer w.release()
		if err := s.profile.parse(r, &w.claim); err != nil {
			t.Fatal(err)
		}
		base, _, err := s.profile.base(r, &w.claim, 0, nil)
		if diff := cmp.Diff(strings.TrimSuffix(file("base"), "\n"), string(base)); diff != "" || err != nil {
			t.Errorf("%v; base (-want +got):\n%s", err, diff)
		}
		p, err := check(s, r)
		if want := "app:rfc/poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"; err != nil || p.Subject != want {
			t.Errorf("got %v, %v, want %s", p, err, want)
		}
		setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), "web-bot-auth", "another", 1))
		p, err = check(s, r)
		wantRefused(t, p, err, authz.ReasonNoCredential, "label and tag")
	})
}

// thumbprint is that of RFC 7638, of the members that it counts in their order.
func thumbprint(t *testing.T, jwk string, members ...string) string {
	t.Helper()
	var all map[string]string
	if err := json.Unmarshal([]byte(jwk), &all); err != nil {
		t.Fatal(err)
	}
	counted := map[string]string{}
	for _, name := range members {
		counted[name] = all[name]
	}
	text, err := json.Marshal(counted) // in the order of names
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestPublicKeyForms verifies with the key pairs of every algorithm, their public halves given in each form that an App
// may give them in.
func TestPublicKeyForms(t *testing.T) {
	for _, pair := range keyPairs(t) {
		if pair.signing.PublicKey == nil {
			continue
		}
		for form, text := range publicForms(t, pair) {
			t.Run(pair.algorithm+" "+form, func(t *testing.T) {
				signing, err := keystore.NewPublicKey("pair", text, pair.algorithm)
				if err != nil {
					t.Fatal(err)
				}
				store := keys{}
				store.add("rfc", signing)
				q := order(t)
				q.KeyID, q.Key, q.Algorithm = "pair", pair.private, pair.algorithm
				if _, err := check(newScheme(t, store, nil), signed(t, q)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func publicForms(t *testing.T, pair keyPair) map[string]string {
	t.Helper()
	block := func(kind string, bytes []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	public := pair.signing.PublicKey
	pkix, err := x509.MarshalPKIXPublicKey(public)
	forms := map[string]string{"PUBLIC KEY": block("PUBLIC KEY", pkix, err), "JWK": jwkOf(t, public)}
	subject := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: created}
	certificate, err := x509.CreateCertificate(rand.Reader, subject, subject, public, pair.private)
	forms["CERTIFICATE"] = block("CERTIFICATE", certificate, err)
	if key, ok := public.(*rsa.PublicKey); ok {
		forms["RSA PUBLIC KEY"] = block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key), nil)
	}
	return forms
}

// jwkOf writes a public key as RFC 7518 section 6 and RFC 8037 do.
func jwkOf(t *testing.T, public any) string {
	t.Helper()
	number := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	var members map[string]string
	switch key := public.(type) {
	case ed25519.PublicKey:
		members = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": number(key)}
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2 // after the byte that says it is whole
		members = map[string]string{"kty": "EC", "crv": "P-256", "x": number(point[1 : 1+half]), "y": number(point[1+half:])}
		if key.Curve == elliptic.P384() {
			members["crv"] = "P-384"
		}
	case *rsa.PublicKey:
		members = map[string]string{"kty": "RSA", "n": number(key.N.Bytes()), "e": number(big.NewInt(int64(key.E)).Bytes())}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
