package signature

import (
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestRefused has, for each reason to refuse a request, requests that are good but for one thing.
func TestRefused(t *testing.T) {
	input := func(from, to string) func(*authz.Request) {
		return func(r *authz.Request) {
			was := header(r, "signature-input")
			setHeader(r, "signature-input", strings.Replace(was, from, to, 1))
			if header(r, "signature-input") == was {
				panic("nothing replaced: " + from)
			}
		}
	}
	header := func(name, value string) func(*authz.Request) {
		return func(r *authz.Request) { setHeader(r, name, value) }
	}
	cases := map[string]struct {
		spec    func(*v1alpha1.SignatureScheme, *Options)
		sign    func(*SignRequest)
		request func(*authz.Request)
		reason  authz.Reason
		text    string
	}{
		"no fields": {
			request: func(r *authz.Request) { removeHeader(r, "signature"); removeHeader(r, "signature-input") },
			reason:  authz.ReasonNoCredential, text: "no signature fields",
		},
		"no Signature": {
			request: func(r *authz.Request) { removeHeader(r, "signature") },
			reason:  authz.ReasonMalformedCredential, text: "only one of Signature-Input and Signature",
		},
		"no Signature-Input": {
			request: func(r *authz.Request) { removeHeader(r, "signature-input") },
			reason:  authz.ReasonMalformedCredential, text: "only one of Signature-Input and Signature",
		},
		"empty fields": {
			request: func(r *authz.Request) { setHeader(r, "signature", ""); setHeader(r, "signature-input", " ") },
			reason:  authz.ReasonNoCredential, text: "no signature with the label",
		},
		"not a dictionary":      {request: header("signature-input", "hello world"), reason: authz.ReasonMalformedCredential, text: "Signature-Input is not a dictionary"},
		"not an inner list":     {request: header("signature-input", `sig1="@path"`), reason: authz.ReasonMalformedCredential, text: "Signature-Input is not a dictionary"},
		"trailing comma":        {request: input(`("@method"`, `(),sig1=("@method"`), reason: authz.ReasonMalformedCredential, text: "same labels, each once"},
		"not bytes":             {request: header("signature", `sig1="abc"`), reason: authz.ReasonMalformedCredential, text: "Signature is not a dictionary of byte sequences"},
		"bytes with parameters": {request: header("signature", `sig1=:AAAA:;a=1`), reason: authz.ReasonMalformedCredential, text: "Signature is not a dictionary of byte sequences"},
		"another label":         {request: header("signature", `sig2=:AAAA:`), reason: authz.ReasonMalformedCredential, text: "same labels"},
		"one label too many":    {request: header("signature", `sig1=:AAAA:, sig2=:AAAA:`), reason: authz.ReasonMalformedCredential, text: "same labels"},
		"label twice":           {request: header("signature", `sig1=:AAAA:, sig1=:AAAA:`), reason: authz.ReasonMalformedCredential, text: "each once"},
		"parameter twice":       {request: input(`;keyid="`, `;keyid="x";keyid="`), reason: authz.ReasonMalformedCredential, text: "Signature-Input is not"},
		"created as string":     {request: input(`created=1618884473`, `created="1618884473"`), reason: authz.ReasonMalformedCredential, text: "parameter is of the wrong type"},
		"created as decimal":    {request: input(`created=1618884473`, `created=1618884473.0`), reason: authz.ReasonMalformedCredential, text: "parameter is of the wrong type"},
		"keyid as token":        {request: input(`keyid="test-shared-secret"`, `keyid=test-shared-secret`), reason: authz.ReasonMalformedCredential, text: "parameter is of the wrong type"},
		"too long":              {request: input(`;keyid="`, `;x="`+strings.Repeat("a", 8<<10)+`";keyid="`), reason: authz.ReasonMalformedCredential, text: "longer than 8 KiB"},
		"too many signatures": {
			request: func(r *authz.Request) {
				var inputs, values []string
				for _, c := range "abcdefghijk" {
					inputs, values = append(inputs, string(c)+"=()"), append(values, string(c)+"=::")
				}
				setHeader(r, "signature-input", strings.Join(inputs, ","))
				setHeader(r, "signature", strings.Join(values, ","))
			},
			reason: authz.ReasonMalformedCredential, text: "more than 10 signatures",
		},
		"too many components": {request: input(`("@method"`, `(`+strings.Repeat(`"a" `, 65)+`"@method"`), reason: authz.ReasonMalformedCredential, text: "more than 64 components"},
		"several signatures": {
			request: func(r *authz.Request) {
				r.Headers = append(r.Headers, authz.Header{Name: "signature-input", Value: "other=()"}, authz.Header{Name: "signature", Value: "other=::"})
			},
			reason: authz.ReasonAmbiguousCredential, text: "several signatures could count; set rfc9421.label or rfc9421.tag",
		},
		"another tag": {spec: tagged("orders"), reason: authz.ReasonNoCredential, text: "no signature with the label and tag"},
		"another label than wanted": {
			spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.RFC9421 = &v1alpha1.RFC9421Options{Label: "client"} },
			reason: authz.ReasonNoCredential, text: "no signature with the label and tag",
		},

		"component twice":      {request: input(`("@method"`, `("@method" "@method"`), reason: authz.ReasonMalformedCredential, text: "a component is covered twice"},
		"component no string":  {request: input(`("@method"`, `(method`), reason: authz.ReasonMalformedCredential, text: "is not a string"},
		"upper case field":     {request: input(`"content-digest"`, `"Content-Digest"`), reason: authz.ReasonMalformedCredential, text: "in lower case"},
		"unknown derived":      {request: input(`("@method"`, `("@verb"`), reason: authz.ReasonMalformedCredential, text: "not a derived component"},
		"signature-params":     {request: input(`("@method"`, `("@signature-params"`), reason: authz.ReasonMalformedCredential, text: "not a derived component"},
		"status":               {request: input(`("@method"`, `("@status"`), reason: authz.ReasonMalformedCredential, text: "a part of a response"},
		"req":                  {request: input(`("@method"`, `("@method";req`), reason: authz.ReasonMalformedCredential, text: "a part of a response"},
		"trailer":              {request: input(`"content-digest"`, `"content-digest";tr`), reason: authz.ReasonMalformedCredential, text: "trailers are not seen"},
		"unknown parameter":    {request: input(`"content-digest"`, `"content-digest";x`), reason: authz.ReasonMalformedCredential, text: "has a parameter that does not exist"},
		"sf false":             {request: input(`"content-digest"`, `"content-digest";sf=?0`), reason: authz.ReasonMalformedCredential, text: "has a parameter that does not exist"},
		"bs with sf":           {request: input(`"content-digest"`, `"content-digest";bs;sf`), reason: authz.ReasonMalformedCredential, text: "has a parameter that does not exist"},
		"derived with sf":      {request: input(`"@path"`, `"@path";sf`), reason: authz.ReasonMalformedCredential, text: "has a parameter that does not exist"},
		"query-param nameless": {request: input(`"@query"`, `"@query-param"`), reason: authz.ReasonMalformedCredential, text: "has a parameter that does not exist"},

		"covered field absent":   {request: input(`("@method"`, `("x-gone" "@method"`), reason: authz.ReasonBadSignature, text: `"x-gone": it is covered, but not in the request`},
		"query parameter absent": {request: input(`("@method"`, `("@query-param";name="q" "@method"`), reason: authz.ReasonBadSignature, text: `"@query-param";name="q": the query parameter is absent`},
		"query parameter twice":  {request: both(input(`("@method"`, `("@query-param";name="page" "@method"`), func(r *authz.Request) { r.Query += "&p%61ge=2" }), reason: authz.ReasonBadSignature, text: "occurs more than once"},
		"query parameter broken": {request: both(input(`("@method"`, `("@query-param";name="page" "@method"`), func(r *authz.Request) { r.Query = "page=%zz" }), reason: authz.ReasonBadSignature, text: "its encoding is broken"},
		"line break in a value":  {request: both(input(`("@method"`, `("date" "@method"`), header("date", "x\n\"@path\": /y")), reason: authz.ReasonBadSignature, text: "a control byte or a byte outside ASCII"},
		"non-ASCII in a value":   {request: both(input(`("@method"`, `("date" "@method"`), header("date", "caf\xc3\xa9")), reason: authz.ReasonBadSignature, text: "a control byte or a byte outside ASCII"},
		"non-ASCII in the path":  {request: func(r *authz.Request) { r.Path = "/caf\xc3\xa9" }, reason: authz.ReasonBadSignature, text: "a control byte or a byte outside ASCII"},
		"too much to search": {
			request: func(r *authz.Request) {
				var list strings.Builder
				for c := 'a'; c <= 'z'; c++ {
					list.WriteString(`"@query-param";name="` + string(c) + `" `)
				}
				input(`("@method"`, `(`+list.String()+`"@method"`)(r)
				r.Query = "a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&" + strings.Repeat("1=1&", 10_000)
			},
			reason: authz.ReasonBadSignature, text: "too much of the request",
		},
		"too much to parse": {
			request: func(r *authz.Request) {
				var list, field strings.Builder
				for c := 'a'; c <= 'z'; c++ {
					list.WriteString(`"x-dictionary";key="` + string(c) + `" `)
					field.WriteString(string(c) + "=1, ")
				}
				input(`("@method"`, `(`+list.String()+`"@method"`)(r)
				header("x-dictionary", field.String()+"z2=("+strings.Repeat("t ", 200)+")")(r)
			},
			reason: authz.ReasonBadSignature, text: "too much of the request",
		},
		"two hosts":                {request: func(r *authz.Request) { r.Host = "example.com,example.org" }, reason: authz.ReasonBadSignature, text: "not one host"},
		"no host":                  {request: func(r *authz.Request) { r.Host = "" }, reason: authz.ReasonBadSignature, text: "not one host"},
		"asterisk":                 {request: func(r *authz.Request) { r.Path = "*" }, reason: authz.ReasonBadSignature, text: "the request target is not a path"},
		"CONNECT":                  {request: func(r *authz.Request) { r.Method = "CONNECT" }, reason: authz.ReasonBadSignature, text: "the request target is not a path"},
		"scheme of another kind":   {sign: cover("@method", "@target-uri", "content-digest"), request: func(r *authz.Request) { r.Scheme = "gopher" }, reason: authz.ReasonBadSignature, text: "set external.scheme"},
		"lines unknown":            {sign: cover("@method", "@target-uri", "content-digest;bs"), request: func(r *authz.Request) { r.RawHeaders = false }, reason: authz.ReasonBadSignature, text: "encode_raw_headers"},
		"field of unknown type":    {request: input(`("@method"`, `("date";sf "@method"`), reason: authz.ReasonBadSignature, text: "its type is not known"},
		"field not structured":     {request: both(input(`("@method"`, `("priority";sf "@method"`), header("priority", "u=3,")), reason: authz.ReasonBadSignature, text: "does not parse"},
		"member absent":            {request: both(input(`("@method"`, `("priority";key="i" "@method"`), header("priority", "u=3")), reason: authz.ReasonBadSignature, text: "dictionary member that is covered is absent"},
		"member twice":             {request: both(input(`("@method"`, `("priority";key="u" "@method"`), header("priority", "u=3, u=4")), reason: authz.ReasonBadSignature, text: "does not parse"},
		"wrong signature":          {request: header("signature", "sig1=:AAAA:"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"empty signature":          {request: header("signature", "sig1=::"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"not covered: method":      {sign: cover("@authority", "@path", "@query", "content-digest"), reason: authz.ReasonNotCovered, text: `does not cover "@method"`},
		"not covered: query":       {sign: cover("@method", "@authority", "@path", "content-digest"), reason: authz.ReasonNotCovered, text: `does not cover "@query"`},
		"not covered: one of many": {sign: cover("@method", "@authority", "@path", "content-digest", `@query-param;name="page"`), reason: authz.ReasonNotCovered, text: `does not cover "@query"`},
		"not covered: a header":    {spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{"date"} }, reason: authz.ReasonNotCovered, text: `does not cover "date"`},
		"not covered: body":        {sign: cover("@method", "@target-uri"), reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"not covered: part of it":  {sign: cover("@method", "@target-uri", `content-digest;key="sha-256"`), reason: authz.ReasonNotCovered, text: "does not bind the body"},

		"no created": {sign: func(q *SignRequest) { q.Created = time.Time{} }, reason: authz.ReasonNotCovered, text: "does not say when it was created"},
		"future":     {sign: func(q *SignRequest) { q.Created = now.Add(61 * time.Second) }, reason: authz.ReasonClockSkew, text: "created in the future"},
		"too old":    {sign: func(q *SignRequest) { q.Created = now.Add(-5*time.Minute - time.Second) }, reason: authz.ReasonClockSkew, text: "older than maxAge"},
		"negative":   {request: input(`;created=`, `;created=-`), reason: authz.ReasonMalformedCredential, text: "before 1970"},
		"expires at Go's zero time": {
			request: input(`;keyid=`, `;expires=-62135596800;keyid=`),
			reason:  authz.ReasonMalformedCredential, text: "before 1970",
		},
		"far future":     {sign: func(q *SignRequest) { q.Created = time.Unix(999999999999999, 0) }, reason: authz.ReasonClockSkew, text: "created in the future"},
		"expired":        {sign: func(q *SignRequest) { q.Expires = now }, reason: authz.ReasonClockSkew, text: "has expired"},
		"expires before": {sign: func(q *SignRequest) { q.Expires = created.Add(-time.Second) }, reason: authz.ReasonMalformedCredential, text: "expires before it was created"},
		"old despite expires": {
			sign:   func(q *SignRequest) { q.Created, q.Expires = now.Add(-6*time.Minute), now.Add(time.Hour) },
			reason: authz.ReasonClockSkew, text: "older than maxAge",
		},
		"no nonce": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
				s.RFC9421 = &v1alpha1.RFC9421Options{Nonce: v1alpha1.NonceRequired}
			},
			reason: authz.ReasonNotCovered, text: "has no nonce",
		},

		"unknown key": {sign: func(q *SignRequest) { q.KeyID = "nobody" }, reason: authz.ReasonUnknownKey, text: "no signing key has"},
		"no key id":   {request: input(`;keyid="test-shared-secret"`, ""), reason: authz.ReasonUnknownKey, text: "no signing key has"},
		"store down":  {spec: func(_ *v1alpha1.SignatureScheme, o *Options) { o.Stores = []keystore.Store{down{errDown}} }, reason: authz.ReasonStoreUnavailable, text: "connection refused"},
		"store overloaded": {
			spec: func(_ *v1alpha1.SignatureScheme, o *Options) {
				o.Stores = []keystore.Store{down{authz.Fail(authz.ReasonOverloaded, errDown)}}
			},
			reason: authz.ReasonOverloaded, text: "connection refused",
		},
		"another namespace":   {spec: func(_ *v1alpha1.SignatureScheme, o *Options) { o.Namespace = "shop" }, reason: authz.ReasonAppNotAccepted, text: "no App that the scheme accepts"},
		"another label on it": {spec: selector(map[string]string{"tier": "internal"}), reason: authz.ReasonAppNotAccepted, text: "no App that the scheme accepts"},
		"algorithm not accepted": {
			spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.Algorithms = []string{"ed25519"} },
			reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits",
		},
		"alg of another key": {request: input(`;keyid=`, `;alg="ed25519";keyid=`), reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits"},
		"alg unknown":        {request: input(`;keyid=`, `;alg="none";keyid=`), reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits"},
		"HMAC with a public key": {
			// Who signs with the text or the bytes of a public key as secret must not pass for its owner.
			sign: func(q *SignRequest) {
				q.KeyID = "test-key-ed25519"
				q.Key = authz.Secret(rfcKeys(t)["test-key-ed25519"][0].Signing.PublicKey.(ed25519.PublicKey))
			},
			reason: authz.ReasonBadSignature, text: "does not verify",
		},
		"HMAC claimed with a public key": {
			sign:   func(q *SignRequest) { q.KeyID, q.Algorithm = "test-key-ed25519", "hmac-sha256" },
			reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits",
		},

		"body changed":      {request: func(r *authz.Request) { r.Body.Bytes = []byte(`{"item": 8}`) }, reason: authz.ReasonBodyMismatch, text: "does not have the digest"},
		"body gone":         {request: func(r *authz.Request) { r.Body = authz.Body{} }, reason: authz.ReasonBodyMismatch, text: "does not have the digest"},
		"body cut":          {request: func(r *authz.Request) { r.Body.State = authz.BodyPartial }, reason: authz.ReasonBodyTooLarge, text: "only the beginning of the body"},
		"body withheld":     {request: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }, reason: authz.ReasonBodyUnavailable, text: "set with_request_body"},
		"body state broken": {request: func(r *authz.Request) { r.Body.State = 99 }, reason: authz.ReasonBodyUnavailable, text: "set with_request_body"},
		"body too large":    {spec: func(_ *v1alpha1.SignatureScheme, o *Options) { o.BodyLimit = 10 }, reason: authz.ReasonBodyTooLarge, text: "larger than limits.body"},
		"body added": {
			sign:    func(q *SignRequest) { q.Body = nil },
			request: func(r *authz.Request) { r.Body = authz.Body{Bytes: []byte("x"), State: authz.BodyWhole} },
			reason:  authz.ReasonNotCovered, text: "does not bind the body",
		},
		"body unknown": {
			sign:    func(q *SignRequest) { q.Body = nil },
			request: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyUnknown} },
			reason:  authz.ReasonBodyUnavailable, text: "nothing tells whether the request has a body",
		},
		"body unknown, another signed": {
			request: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyUnknown} },
			reason:  authz.ReasonBodyMismatch, text: "does not have the digest",
		},
		"body required": {
			spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyRequired },
			sign:   func(q *SignRequest) { q.Body = nil },
			reason: authz.ReasonNotCovered, text: "does not bind the body",
		},
		"body unbound and yet wrong": {
			spec:    func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyUnbound },
			request: func(r *authz.Request) { r.Body.Bytes = []byte("x") },
			reason:  authz.ReasonBodyMismatch, text: "does not have the digest",
		},
		"digest of no known algorithm": {sign: digest("md5=:CY9rzUYh03PK3k6DJie09g==:"), reason: authz.ReasonNotCovered, text: "neither sha-256 nor sha-512"},
		"digest malformed":             {sign: digest("sha-256=abc"), reason: authz.ReasonMalformedCredential, text: "Content-Digest is not a dictionary"},
		"digest twice":                 {sign: digest(rightDigest + ", " + rightDigest), reason: authz.ReasonMalformedCredential, text: "each algorithm once"},
		"digest half right":            {sign: digest(rightDigest + ", sha-512=:AAAA:"), reason: authz.ReasonBodyMismatch, text: "does not have the digest"},

		"replay memory down": {spec: func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = down{errDown} }, reason: authz.ReasonReplayUnavailable, text: "connection refused"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			q := order(t)
			if c.sign != nil {
				c.sign(&q)
			}
			r := signed(t, q)
			if c.request != nil {
				c.request(r)
			}
			p, err := check(newScheme(t, rfcKeys(t), c.spec), r)
			wantRefused(t, p, err, c.reason, c.text)
		})
	}
}

// rightDigest is that of the body in order.
const rightDigest = "sha-256=:KddzZeC0Wz4KWvVUOssYdOaLShO/ffiRUDORoCaKagI=:"

func both(f, g func(*authz.Request)) func(*authz.Request) {
	return func(r *authz.Request) { f(r); g(r) }
}

func cover(components ...string) func(*SignRequest) {
	return func(q *SignRequest) { q.Cover = components }
}

func digest(value string) func(*SignRequest) {
	return func(q *SignRequest) {
		q.Headers = append(q.Headers, authz.Header{Name: "Content-Digest", Value: value})
	}
}

func tagged(tag string) func(*v1alpha1.SignatureScheme, *Options) {
	return func(s *v1alpha1.SignatureScheme, _ *Options) { s.RFC9421 = &v1alpha1.RFC9421Options{Tag: tag} }
}

func selector(labels map[string]string) func(*v1alpha1.SignatureScheme, *Options) {
	return func(s *v1alpha1.SignatureScheme, _ *Options) { s.Apps.MatchLabels = labels }
}

// down is a Store and a Replay that cannot be reached.
type down struct{ err error }

func (d down) ByDigest(context.Context, keystore.Digest) (*keystore.Key, error) { return nil, d.err }
func (d down) BySigningID(context.Context, string) ([]*keystore.Key, error)     { return nil, d.err }
func (d down) ByApp(context.Context, string, string) ([]*keystore.Key, error)   { return nil, d.err }
func (d down) First(context.Context, [32]byte, time.Time, time.Time) (bool, error) {
	return false, d.err
}

// TestKeyStates refuses a signature that verifies with a key that is not good.
func TestKeyStates(t *testing.T) {
	for _, c := range []struct {
		edit   func(*keystore.Key)
		reason authz.Reason
	}{
		{func(k *keystore.Key) { k.Disabled = true }, authz.ReasonKeyDisabled},
		{func(k *keystore.Key) { k.App.Disabled = true }, authz.ReasonAppNotAccepted},
		{func(k *keystore.Key) { k.NotBefore = now.Add(1) }, authz.ReasonKeyNotYetValid},
		{func(k *keystore.Key) { k.ExpiresAt = now }, authz.ReasonKeyExpired},
	} {
		store := rfcKeys(t)
		c.edit(store["test-shared-secret"][0])
		s := newScheme(t, store, nil)
		p, err := check(s, signed(t, order(t)))
		wantRefused(t, p, err, c.reason, "")

		// A wrong signature with the same key says nothing of the key's state.
		r := signed(t, order(t))
		r.Method = "PUT"
		p, err = check(s, r)
		wantRefused(t, p, err, authz.ReasonBadSignature, "does not verify")
	}
}

// TestVerifyAlone is sure of its answer without Extract: no signature is not "no credential" any more.
func TestVerifyAlone(t *testing.T) {
	r := &authz.Request{Method: "GET", Path: "/", Now: now}
	p, err := newScheme(t, rfcKeys(t), nil).Verify(context.Background(), r, authz.Credential{})
	wantRefused(t, p, err, authz.ReasonMalformedCredential, "has no signature that counts")
}

// TestNew names the field that is wrong.
func TestNew(t *testing.T) {
	good := Options{Namespace: "rfc", Stores: []keystore.Store{keys{}}, Replay: newMemory()}
	for _, c := range []struct {
		spec v1alpha1.SignatureScheme
		opts Options
		text string
	}{
		{v1alpha1.SignatureScheme{Profile: "hawk"}, good, `profile: "hawk" is not known`},
		{v1alpha1.SignatureScheme{Algorithms: []string{"ed25519", "hmac-sha1"}}, good, `algorithms[1]: the profile has no algorithm "hmac-sha1"`},
		{v1alpha1.SignatureScheme{Cover: []string{"@path", "Date"}}, good, `cover[1]: "Date": a covered component's name is not`},
		{v1alpha1.SignatureScheme{Cover: []string{"@query-param"}}, good, `cover[0]: "@query-param": a covered component has a parameter`},
		{v1alpha1.SignatureScheme{RFC9421: &v1alpha1.RFC9421Options{Label: "A"}}, good, `rfc9421: label "A" or tag "" cannot be written`},
		{v1alpha1.SignatureScheme{}, Options{Stores: []keystore.Store{keys{}}}, "replay: there is no memory of accepted signatures"},
	} {
		if c.spec.Profile == "" {
			c.spec.Profile = v1alpha1.ProfileRFC9421
		}
		setDefaults(&c.spec, c.opts.Namespace)
		if _, err := New(&c.spec, c.opts); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("got %v, want …%s…", err, c.text)
		}
	}
}

func seconds(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}
