package signature

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestAccepted has the ways in which a good request may differ from the plainest one.
func TestAccepted(t *testing.T) {
	replace := func(name, from, to string) func(*authz.Request) {
		return func(r *authz.Request) { setHeader(r, name, strings.Replace(header(r, name), from, to, 1)) }
	}
	emptyBody := func(q *SignRequest) {
		q.Body, q.Cover = nil, []string{"@method", "@target-uri", "content-digest"}
	}
	unbound := func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyUnbound }
	cases := map[string]struct {
		spec    func(*v1alpha1.SignatureScheme, *Options)
		sign    func(*SignRequest)
		request func(*authz.Request)
	}{
		"plain":             {},
		"no body":           {sign: func(q *SignRequest) { q.Body = nil }},
		"spaced":            {request: replace("signature-input", `sig1=("@method" "@authority"`, ` sig1=(  "@method"   "@authority"`)},
		"spaced parameters": {request: replace("signature-input", ";keyid", "; keyid")},
		"fields untrimmed": {
			sign:    cover("@method", "@target-uri", "date", "content-digest"),
			request: replace("date", "Tue, 20 Apr 2021 02:07:55 GMT", " \tTue, 20 Apr 2021 02:07:55 GMT  "),
		},
		"request-target": {sign: cover("@method", "@authority", "@request-target", "content-digest")},
		"target-uri":     {sign: cover("@method", "@target-uri", "content-digest")},
		"digest as sf":   {sign: cover("@method", "@target-uri", "content-digest;sf")},
		"digest as bs":   {sign: cover("@method", "@target-uri", "content-digest;bs")},
		"two digests":    {sign: digest("md5=:AAAA:, " + rightDigest)},
		"whole query for a parameter, whole field for a member": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
				s.Cover = []string{`@query-param;name="page"`, `content-digest;key="sha-256"`}
			},
			sign: cover("@query", "content-digest"),
		},
		"host field": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{"host", "@method"} },
			sign: cover("@method", "host", "content-digest"),
		},
		"created at the edge of maxAge": {sign: func(q *SignRequest) { q.Created = now.Add(-5 * time.Minute) }},
		"created at the edge of skew":   {sign: func(q *SignRequest) { q.Created = now.Add(time.Minute) }},
		"expires in time":               {sign: func(q *SignRequest) { q.Expires = now.Add(time.Second) }},
		"alg agrees":                    {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha256" }},
		"unknown parameters": {sign: func(q *SignRequest) { q.KeyID = "rare" }, request: func(r *authz.Request) {
			resign(t, r, `;b;c=?0;d=1.50;e=tok;f=:AAA=:;g=@1618884473;h=%"f%c3%bc;,)"`)
		}},
		"map mode": {
			sign:    cover("@method", "@target-uri", "date", "content-digest"),
			request: func(r *authz.Request) { r.RawHeaders = false },
		},
		"joined in map mode": {
			sign: func(q *SignRequest) {
				q.Headers = append(q.Headers, authz.Header{Name: "x-a", Value: "1"}, authz.Header{Name: "x-a", Value: "2"})
				cover("@method", "@target-uri", "x-a", "content-digest")(q)
			},
			request: func(r *authz.Request) {
				removeHeader(r, "x-a")
				setHeader(r, "x-a", "1,2")
				r.RawHeaders = false
			},
		},
		"comma of the signer's own in map mode": {
			sign: func(q *SignRequest) {
				q.Headers = append(q.Headers, authz.Header{Name: "x-a", Value: "1,2"})
				cover("@method", "@target-uri", "x-a", "content-digest")(q)
			},
			request: func(r *authz.Request) { r.RawHeaders = false },
		},
		"chosen by label": {
			spec:    func(s *v1alpha1.SignatureScheme, _ *Options) { s.RFC9421 = &v1alpha1.RFC9421Options{Label: "sig1"} },
			request: another,
		},
		"chosen by tag": {spec: tagged("orders"), sign: func(q *SignRequest) { q.Tag = "orders" }, request: another},
		"nonce": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
				s.RFC9421 = &v1alpha1.RFC9421Options{Nonce: v1alpha1.NonceRequired}
			},
			sign: func(q *SignRequest) { q.Nonce = `a "quoted" \ nonce` },
		},
		"external origin": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
				s.External = &v1alpha1.ExternalOrigin{Scheme: "https", Authority: "example.com"}
			},
			sign:    cover("@method", "@target-uri", "host", "@scheme", "content-digest"),
			request: func(r *authz.Request) { r.Scheme, r.Host = "http", "orders.internal:8080" },
		},
		"labels of the App":  {spec: selector(map[string]string{"tier": "partner"})},
		"body required":      {spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyRequired }, sign: emptyBody},
		"empty body signed":  {sign: emptyBody},
		"empty body unknown": {sign: emptyBody, request: func(r *authz.Request) { r.Body.State = authz.BodyUnknown }},
		"body unbound": {
			spec: unbound, sign: cover("@method", "@target-uri"),
		},
		"body unbound and withheld": {spec: unbound, request: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }},
		"body unbound and too large": {
			spec: func(s *v1alpha1.SignatureScheme, o *Options) { s.Body, o.BodyLimit = v1alpha1.BodyUnbound, 1 },
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := rfcKeys(t)
			store.add("rfc", &keystore.SigningKey{ID: "rare", Secret: sharedSecret(t)})
			q := order(t)
			if c.sign != nil {
				c.sign(&q)
			}
			r := signed(t, q)
			if c.request != nil {
				c.request(r)
			}
			p, err := check(newScheme(t, store, c.spec), r)
			if err != nil {
				t.Fatal(err)
			}
			if want := "app:rfc/" + q.KeyID; p.Subject != want {
				t.Errorf("subject %q, want %q", p.Subject, want)
			}
		})
	}
}

// resign adds parameters to a signature made with the shared secret.
func resign(t *testing.T, r *authz.Request, params string) {
	t.Helper()
	text := header(r, "signature-input") + params
	setHeader(r, "signature-input", text)
	var (
		c claim
		s scanner
	)
	s.line(strings.TrimPrefix(text, "sig1="))
	if err := s.signatureInput(&c); err != nil {
		t.Fatal(err)
	}
	base, _, err := origin{}.appendBase(r, &c, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	setHeader(r, "signature", "sig1="+byteSequence(sumHMAC(sha256.New, sharedSecret(t), base)))
}

// another adds a signature for somebody else, which does not make sense here.
func another(r *authz.Request) {
	setHeader(r, "signature-input", header(r, "signature-input")+`, proxy=("@status" "x-gone";tr);tag="proxy"`)
	setHeader(r, "signature", "proxy=:AAAA:, "+header(r, "signature"))
}

// TestAlgorithms signs and verifies with each, and with no other.
func TestAlgorithms(t *testing.T) {
	for _, pair := range keyPairs(t) {
		t.Run(pair.algorithm, func(t *testing.T) {
			store := keys{}
			store.add("rfc", pair.signing)
			q := order(t)
			q.KeyID, q.Key, q.Algorithm = pair.algorithm, pair.private, pair.algorithm
			r := signed(t, q)
			if _, err := check(newScheme(t, store, nil), r); err != nil {
				t.Fatal(err)
			}
			for _, other := range rfc9421Algorithms {
				if other.name == pair.algorithm {
					continue
				}
				s := newScheme(t, store, func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Algorithms = []string{other.name} })
				p, err := check(s, r)
				wantRefused(t, p, err, authz.ReasonAlgorithmRefused, "no accepted algorithm")
			}
			// Every bit of the signature counts.
			value, err := httpsfv.UnmarshalDictionary([]string{header(r, "signature")})
			if err != nil {
				t.Fatal(err)
			}
			member, _ := value.Get("sig1")
			sig := member.(httpsfv.Item).Value.([]byte)
			for i := range sig {
				sig[i] ^= 1 << (i % 8)
				setHeader(r, "signature", "sig1="+byteSequence(sig))
				p, err := check(newScheme(t, store, nil), r)
				wantRefused(t, p, err, authz.ReasonBadSignature, "does not verify")
				sig[i] ^= 1 << (i % 8)
			}
			for _, wrong := range [][]byte{sig[1:], append(sig, 0), append([]byte{0}, sig...)} {
				setHeader(r, "signature", "sig1="+byteSequence(wrong))
				p, err := check(newScheme(t, store, nil), r)
				wantRefused(t, p, err, authz.ReasonBadSignature, "does not verify")
			}
		})
	}
}

// TestRSAWithoutAlgorithm verifies as RSASSA-PSS unless the signature says otherwise.
func TestRSAWithoutAlgorithm(t *testing.T) {
	private, err := ParsePrivateKey(testKey(t, "test-key-rsa.private.pem"))
	if err != nil {
		t.Fatal(err)
	}
	q := order(t)
	q.KeyID, q.Key = "test-key-rsa", private
	for _, algorithm := range []string{"", "rsa-pss-sha512", "rsa-v1_5-sha256"} {
		q.Algorithm = algorithm
		if _, err := check(newScheme(t, rfcKeys(t), nil), signed(t, q)); err != nil {
			t.Errorf("%q: %v", algorithm, err)
		}
	}
}

// TestRotation has two keys with one id: each verifies its own signatures, even when the other is no longer good.
func TestRotation(t *testing.T) {
	store := keys{}
	old := store.add("rfc", &keystore.SigningKey{ID: "rotating", Secret: "the secret of last year"})
	store.add("rfc", &keystore.SigningKey{ID: "rotating", Secret: "the secret of this year"})
	store.add("shop", &keystore.SigningKey{ID: "rotating", Secret: "a secret of somebody else"})
	q := order(t)
	q.KeyID = "rotating"
	for _, c := range []struct {
		secret  authz.Secret
		expired bool
		want    authz.Reason
	}{
		{"the secret of last year", false, authz.ReasonAuthenticated},
		{"the secret of this year", false, authz.ReasonAuthenticated},
		{"the secret of last year", true, authz.ReasonKeyExpired},
		{"the secret of this year", true, authz.ReasonAuthenticated},
		{"a secret of somebody else", true, authz.ReasonBadSignature},
	} {
		old.ExpiresAt = time.Time{}
		if c.expired {
			old.ExpiresAt = now
		}
		q.Key = c.secret
		_, err := check(newScheme(t, store, nil), signed(t, q))
		got := authz.ReasonAuthenticated
		if err != nil {
			got = authz.ReasonOf(err)
		}
		if got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// TestChallenge asks for what the scheme requires, in a field that parses.
func TestChallenge(t *testing.T) {
	for _, c := range []struct {
		spec func(*v1alpha1.SignatureScheme, *Options)
		want string
	}{
		{nil, `sig1=("@method" "@authority" "@path" "@query" "content-digest");created`},
		{func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{"content-digest", "date"} },
			`sig1=("content-digest" "date");created`},
		{func(s *v1alpha1.SignatureScheme, _ *Options) {
			s.Cover = []string{"@target-uri", `@query-param;name="id"`}
			s.Body = v1alpha1.BodyUnbound
			s.Algorithms = []string{"ed25519"}
			s.RFC9421 = &v1alpha1.RFC9421Options{Label: "client", Tag: `the "app"`}
		}, `client=("@target-uri" "@query-param";name="id");created;alg="ed25519";tag="the \"app\""`},
	} {
		got := newScheme(t, keys{}, c.spec).Challenge("shop")
		want := authz.Challenge{
			Scheme:  "Signature",
			Params:  []authz.Field{{Name: "realm", Value: "shop"}},
			Headers: []authz.Header{{Name: "accept-signature", Value: c.want}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("challenge (-want +got):\n%s", diff)
		}
		if _, err := httpsfv.UnmarshalDictionary([]string{c.want}); err != nil {
			t.Error(err)
		}
	}
}
