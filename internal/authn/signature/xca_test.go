package signature

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const xCaTestSecret = authz.Secret("example-app-secret")

// xCaKeys holds the key that signs in these tests.
func xCaKeys() keys {
	k := keys{}
	k.add("rfc", &keystore.SigningKey{ID: "203753385", Secret: xCaTestSecret})
	return k
}

// xCaOrder is a request with a body that is no form; xCaForm is one with a form.
func xCaOrder() SignRequest {
	return SignRequest{
		Profile: v1alpha1.ProfileXCa, Method: "POST", URL: "https://api.example.com/orders?page=1&size=2", Body: []byte(`{"item": 7}`),
		Headers: []authz.Header{{Name: "Accept", Value: "application/json"}, {Name: "Content-Type", Value: "application/json"}},
		KeyID:   "203753385", Key: xCaTestSecret, Created: created, Nonce: "6f1c4b8e",
	}
}

func xCaForm() SignRequest {
	q := xCaOrder()
	q.Headers[1].Value = "Application/x-www-form-urlencoded; charset=utf-8"
	q.Body = []byte("item=7&note=two+words")
	return q
}

func TestXCaSign(t *testing.T) {
	q := xCaOrder()
	q.Algorithm = "hmac-sha256"
	got, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.Join([]string{
		"POST", "application/json", "ZzVt/DXLY6Hc/mgdwEeOIA==", "application/json", "",
		"x-ca-key:203753385", "x-ca-nonce:6f1c4b8e", "x-ca-signature-method:HmacSHA256", "x-ca-timestamp:1618884473000",
		"/orders?page=1&size=2",
	}, "\n")
	sig := byteSequence(sumHMAC(sha256.New, xCaTestSecret, []byte(base)))
	want := &Signed{
		URL: q.URL,
		Headers: []authz.Header{
			{Name: "Content-MD5", Value: "ZzVt/DXLY6Hc/mgdwEeOIA=="},
			{Name: "X-Ca-Key", Value: "203753385"},
			{Name: "X-Ca-Timestamp", Value: "1618884473000"},
			{Name: "X-Ca-Nonce", Value: "6f1c4b8e"},
			{Name: "X-Ca-Signature-Method", Value: "HmacSHA256"},
			{Name: "X-Ca-Signature-Headers", Value: "x-ca-key,x-ca-timestamp,x-ca-nonce,x-ca-signature-method"},
			{Name: "X-Ca-Signature", Value: strings.Trim(sig, ":")},
		},
		Base: base,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signed (-want +got):\n%s", diff)
	}
}

// TestXCaSignBare adds what HTTP clients would add, for it is signed.
func TestXCaSignBare(t *testing.T) {
	q := xCaOrder()
	q.Headers, q.Nonce = nil, ""
	got, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.Base, "\n")
	if lines[1] != "*/*" || lines[3] != "application/octet-stream" || len(lines[6]) < len("x-ca-nonce:")+16 {
		t.Errorf("signed %q", got.Base)
	}
}

func TestXCaSignErrors(t *testing.T) {
	for _, c := range []struct {
		edit func(*SignRequest)
		text string
	}{
		{func(q *SignRequest) { q.URL = "/orders" }, "use an absolute http or https URL"},
		{func(q *SignRequest) { q.Created = time.Time{} }, "created: x-ca-timestamp is signed, so set it"},
		{func(q *SignRequest) { q.Expires = now }, "expires: profile x-ca cannot say"},
		{func(q *SignRequest) { q.Cover = []string{"x ca"} }, "X-Ca-Signature-Headers is not a list of field names"},
		{func(q *SignRequest) { q.URL += "&page=2" }, "a parameter occurs more than once"},
		{func(q *SignRequest) { q.Algorithm = "ed25519" }, `the key does not fit algorithm "ed25519"`},
		{func(q *SignRequest) { q.Key = "a string" }, "the key fits no algorithm of the profile"},
	} {
		q := xCaOrder()
		c.edit(&q)
		if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("got %v, %v, want …%s…", got, err, c.text)
		}
	}
}

// TestXCaAccepted has what clients vary.
func TestXCaAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		spec    func(*v1alpha1.SignatureScheme, *Options)
		sign    func(*SignRequest)
		request func(*authz.Request)
	}{
		"as it is":   {},
		"HmacSHA256": {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha256" }},
		"HmacSHA1": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Algorithms = []string{"hmac-sha1"} },
			sign: func(q *SignRequest) { q.Algorithm = "hmac-sha1" },
		},
		"no body":      {sign: func(q *SignRequest) { q.Method, q.Body = "GET", nil }},
		"no query":     {sign: func(q *SignRequest) { q.URL = "https://api.example.com/orders" }},
		"an empty one": {sign: func(q *SignRequest) { q.URL = "https://api.example.com/orders?" }},
		"no path":      {sign: func(q *SignRequest) { q.URL = "https://api.example.com" }},
		"form":         {sign: func(q *SignRequest) { *q = xCaForm() }},
		"empty form":   {sign: func(q *SignRequest) { *q = xCaForm(); q.Body = nil }},
		"form with Content-MD5": {sign: func(q *SignRequest) {
			*q = xCaForm()
			q.Headers = append(q.Headers, authz.Header{Name: "Content-MD5", Value: contentMD5(q.Body)})
		}},
		"names in upper case": {sign: func(q *SignRequest) { q.Cover = []string{"X-Ca-Nonce", "x-ca-timestamp", "X-CA-KEY"} }},
		"blanks, empty items and fixed fields in the list": {sign: func(q *SignRequest) {
			q.Cover = []string{" x-ca-key", "", "x-ca-nonce\t", "Accept", "date", "X-Ca-Signature", "x-ca-signature-headers", "x-ca-timestamp "}
		}},
		"an absent field": {sign: func(q *SignRequest) { q.Cover = append(v1alpha1.ProfileXCa.Cover(), "X-Ca-Stage") }},
		"the host": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
				s.Cover = append(v1alpha1.ProfileXCa.Cover(), "host")
				s.External = &v1alpha1.ExternalOrigin{Authority: "api.example.com"}
			},
			sign: func(q *SignRequest) {
				q.Cover = append(v1alpha1.ProfileXCa.Cover(), "Host")
				q.Headers = append(q.Headers, authz.Header{Name: "Host", Value: "api.example.com"})
			},
			request: func(r *authz.Request) { removeHeader(r, "host"); r.Host = "orders.internal" },
		},
		"fixed fields in cover": {spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
			s.Cover = []string{"accept", "content-md5", "content-type", "date"}
		}},
		"another order of the list": {request: func(r *authz.Request) { setHeader(r, xCaListed, "x-ca-nonce,x-ca-key,x-ca-timestamp") }},
		"blanks around values": {request: func(r *authz.Request) {
			for i := range r.Headers {
				r.Headers[i].Value = " " + r.Headers[i].Value + "\t"
			}
		}},
		"the same value twice": {request: func(r *authz.Request) {
			r.Headers = append(r.Headers, authz.Header{Name: "accept", Value: "application/json"})
		}},
		"another order and spelling of parameters": {request: func(r *authz.Request) { r.Query = "size=%32&&p%61ge=1&" }},
		"an empty value with and without its sign": {
			sign:    func(q *SignRequest) { q.URL += "&all" },
			request: func(r *authz.Request) { r.Query += "=" },
		},
		"parameters from query to form": {
			sign: func(q *SignRequest) { *q = xCaForm() },
			request: func(r *authz.Request) {
				r.Query, r.Body.Bytes = r.Query+"&"+string(r.Body.Bytes), nil
				r.Body.State = authz.BodyNone
			},
		},
		"an unbound body": {
			spec:    func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyUnbound },
			sign:    func(q *SignRequest) { q.Body = nil },
			request: func(r *authz.Request) { r.Body = authz.Body{Bytes: []byte("x"), State: authz.BodyWhole} },
		},
		"no nonce where none is required": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{xCaKey, xCaTimestamp} },
			sign: func(q *SignRequest) { q.Nonce, q.Cover = "", []string{xCaKey, xCaTimestamp} },
		},
		"an AppCode beside": {request: func(r *authz.Request) { setHeader(r, "x-ca-appcode", "anything") }},
		"14 minutes old":    {sign: func(q *SignRequest) { q.Created = now.Add(-14 * time.Minute) }},
		"5 minutes ahead":   {sign: func(q *SignRequest) { q.Created = now.Add(5 * time.Minute) }},
	} {
		t.Run(name, func(t *testing.T) {
			q := xCaOrder()
			if c.sign != nil {
				c.sign(&q)
			}
			r := signed(t, q)
			if c.request != nil {
				c.request(r)
			}
			if p, err := check(newXCaScheme(t, xCaKeys(), c.spec), r); err != nil || p.App != "rfc/203753385" {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// TestXCaReplay counts a nonce once, whatever it stands in, and only where it is signed.
func TestXCaReplay(t *testing.T) {
	s, q := newXCaScheme(t, xCaKeys(), func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{xCaKey, xCaTimestamp} }), xCaOrder()
	if _, err := check(s, signed(t, q)); err != nil {
		t.Fatal(err)
	}
	q.Method = "PUT"
	p, err := check(s, signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "accepted before")

	q.Cover = []string{xCaKey, xCaTimestamp} // the nonce is there, but anyone could have changed it
	if _, err := check(s, signed(t, q)); err != nil {
		t.Fatal(err)
	}
	q.Nonce = "another"
	p, err = check(s, signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "accepted before")
}

func TestXCaChallenge(t *testing.T) {
	s := newXCaScheme(t, xCaKeys(), func(s *v1alpha1.SignatureScheme, _ *Options) {
		s.Cover = append(v1alpha1.ProfileXCa.Cover(), "content-type")
	})
	want := `X-Ca realm="orders", headers="x-ca-key,x-ca-timestamp,x-ca-nonce"`
	if got := s.Challenge("orders").String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestXCaExplain answers as the vendor's gateway does, so that its SDKs can show the difference.
func TestXCaExplain(t *testing.T) {
	s := newXCaScheme(t, xCaKeys(), func(s *v1alpha1.SignatureScheme, _ *Options) { s.Explain = true })
	q := xCaForm()
	q.Body = []byte("city=%E5%8C%97%E4%BA%AC&bytes=%00%ff%c2%85%0a.")
	headers := func(r *authz.Request) string {
		_, err := check(s, r)
		f, ok := errors.AsType[*authz.Failure](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		if f.Explanation == nil {
			return ""
		}
		return fmt.Sprint(f.Explanation.Headers)
	}
	r := signed(t, q)
	r.Method = "PUT"
	want := "[{x-ca-error-code A403IS} {x-ca-error-message Invalid Signature, Server StringToSign:`PUT#application/json##" +
		"Application/x-www-form-urlencoded; charset=utf-8##x-ca-key:203753385#x-ca-nonce:6f1c4b8e#x-ca-timestamp:1618884473000#" +
		"/orders?bytes=#.&city=北京&page=1&size=2`}]"
	if got := headers(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	r.Query = "page=1&size=2&size=3"
	if got := headers(r); got != "" {
		t.Errorf("part of a text is explained: %s", got)
	}

	message := (&xCa{}).explain([]byte(strings.Repeat("北", 2000)))[1].Value
	if len(message) > maxMessage || len(message) < maxMessage-4 || !strings.HasSuffix(message, "北`") {
		t.Errorf("%d bytes: …%s", len(message), message[len(message)-8:])
	}
}
