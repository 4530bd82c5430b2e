package signature

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/replay"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// created is when the examples of RFC 9421 were signed; now is a little later.
var (
	created = time.Unix(1618884473, 0)
	now     = created.Add(10 * time.Second)
)

// keys is a Store in a map.
type keys map[string][]*keystore.Key

func (keys) ByDigest(context.Context, keystore.Digest) (*keystore.Key, error) {
	return nil, keystore.ErrNotFound
}

func (k keys) BySigningID(_ context.Context, id string) ([]*keystore.Key, error) {
	if found := k[id]; found != nil {
		return found, nil
	}
	return nil, keystore.ErrNotFound
}

func (k keys) ByApp(_ context.Context, namespace, name string) ([]*keystore.Key, error) {
	var found []*keystore.Key
	for _, list := range k {
		for _, key := range list {
			if key.App.Namespace == namespace && key.App.Name == name {
				found = append(found, key)
			}
		}
	}
	if found == nil {
		return nil, keystore.ErrNotFound
	}
	return found, nil
}

// add stores a key under the id, for an App of that name.
func (k keys) add(namespace string, signing *keystore.SigningKey) *keystore.Key {
	app := &keystore.App{Namespace: namespace, Name: signing.ID, Labels: map[string]string{"tier": "partner"}}
	key := keystore.NewKey(app, "signer", nil, keystore.Key{Signing: signing})
	k[signing.ID] = append(k[signing.ID], key)
	return key
}

func testdata(t testing.TB, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testKey reads a key's file, without the line that says what it is.
func testKey(t testing.TB, name string) []byte {
	t.Helper()
	mark, key, _ := bytes.Cut(testdata(t, "keys", name), []byte("\n"))
	if !bytes.HasPrefix(mark, []byte("# A test key that ")) {
		t.Fatalf("%s is not marked as a published test key", name)
	}
	return key
}

func sharedSecret(t testing.TB) authz.Secret {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(testKey(t, "test-shared-secret.base64"))))
	if err != nil {
		t.Fatal(err)
	}
	return authz.Secret(b)
}

// rfcKeys holds the keys of RFC 9421 appendix B.1, each under its own name.
func rfcKeys(t testing.TB) keys {
	t.Helper()
	k := keys{}
	k.add("rfc", &keystore.SigningKey{ID: "test-shared-secret", Secret: sharedSecret(t)})
	for _, name := range []string{"test-key-rsa-pss", "test-key-rsa", "test-key-ecc-p256", "test-key-ed25519"} {
		signing, err := keystore.NewPublicKey(name, string(testKey(t, name+".public.pem")), "")
		if err != nil {
			t.Fatal(err)
		}
		k.add("rfc", signing)
	}
	return k
}

// newScheme makes a scheme of namespace rfc; edit, unless nil, changes spec and options first.
func newScheme(t testing.TB, store keystore.Store, edit func(*v1alpha1.SignatureScheme, *Options)) *scheme {
	t.Helper()
	spec := &v1alpha1.SignatureScheme{Profile: v1alpha1.ProfileRFC9421}
	opts := Options{Namespace: "rfc", Stores: []keystore.Store{store}, Replay: newMemory()}
	if edit != nil {
		edit(spec, &opts)
	}
	setDefaults(spec, opts.Namespace)
	s, err := New(spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*scheme)
}

func newMemory() *replay.Local { return replay.NewLocal(1<<20, func() time.Time { return now }) }

// setDefaults does what decoding the resource does.
func setDefaults(spec *v1alpha1.SignatureScheme, namespace string) {
	whole := v1alpha1.AuthScheme{Spec: v1alpha1.AuthSchemeSpec{Signature: spec}}
	whole.Namespace = namespace
	whole.SetDefaults()
}

// readRequest reads the text of an HTTP request into what Envoy makes of it with encode_raw_headers.
func readRequest(t testing.TB, text []byte) *authz.Request {
	t.Helper()
	head, body, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		t.Fatal("the request has no empty line")
	}
	lines := strings.Split(string(head), "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	target = target[:strings.LastIndexByte(target, ' ')]
	r := &authz.Request{Method: method, Scheme: "http", RawHeaders: true, Now: now}
	r.Path, r.Query, r.HasQuery = strings.Cut(target, "?")
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if name = strings.ToLower(name); name == "host" {
			r.Host = strings.TrimSpace(value)
			continue
		}
		r.Headers = append(r.Headers, authz.Header{Name: name, Value: value})
	}
	if body = bytes.TrimSuffix(body, []byte("\n")); len(body) > 0 {
		r.Body = authz.Body{Bytes: body, State: authz.BodyWhole}
	}
	return r
}

// signed returns the request of q, signed.
func signed(t testing.TB, q SignRequest) *authz.Request {
	t.Helper()
	out, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.request()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range out.Headers {
		r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(h.Name), Value: h.Value})
	}
	r.Now = now
	if len(q.Body) > 0 {
		r.Body = authz.Body{Bytes: q.Body, State: authz.BodyWhole}
	}
	return r
}

// order is a request with a body, to be signed with the shared secret.
func order(t testing.TB) SignRequest {
	t.Helper()
	return SignRequest{
		Method: "POST", URL: "https://example.com/orders?page=1", Body: []byte(`{"item": 7}`),
		Headers: []authz.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Date", Value: "Tue, 20 Apr 2021 02:07:55 GMT"}},
		KeyID:   "test-shared-secret", Key: sharedSecret(t), Created: created,
	}
}

// check authenticates as a policy does.
func check(s *scheme, r *authz.Request) (*authz.Principal, error) {
	c, err := s.Extract(r)
	if err != nil {
		return nil, err
	}
	return s.Verify(context.Background(), r, c)
}

// wantRefused checks that err carries the reason and that its text says why.
func wantRefused(t testing.TB, p *authz.Principal, err error, reason authz.Reason, text string) {
	t.Helper()
	if p != nil {
		t.Errorf("principal %+v, want none", p)
	}
	if err == nil {
		t.Fatalf("accepted, want %v", reason)
	}
	if got := authz.ReasonOf(err); got != reason || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %q (%v), want %v: …%s…", err, got, reason, text)
	}
}

func setHeader(r *authz.Request, name, value string) {
	for i := range r.Headers {
		if r.Headers[i].Name == name {
			r.Headers[i].Value = value
			return
		}
	}
	r.Headers = append(r.Headers, authz.Header{Name: name, Value: value})
}

func header(r *authz.Request, name string) string {
	v, _ := r.Header(name)
	return v
}

func removeHeader(r *authz.Request, name string) {
	kept := r.Headers[:0]
	for _, h := range r.Headers {
		if h.Name != name {
			kept = append(kept, h)
		}
	}
	r.Headers = kept
}

var errDown = errors.New("connection refused")
