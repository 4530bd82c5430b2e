package server

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
)

// cluster makes snapshots as one of a cluster is made: objects have UIDs, and those in error their last good version.
type cluster struct {
	t       *testing.T
	loader  *loader
	objects map[source.Key]v1alpha1.Document
	good    source.LastGood
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	cfg := config.Default()
	p, err := newParts(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	l, err := newLoader(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t: t, loader: l, objects: map[source.Key]v1alpha1.Document{}, good: source.LastGood{}}
}

// apply applies objects, which are of this UID.
func (c *cluster) apply(uid types.UID, manifest string) {
	c.t.Helper()
	for _, written := range v1alpha1.Decode("", []byte(manifest)) {
		var o v1alpha1.Object
		switch {
		case written.Scheme != nil:
			o = written.Scheme
		case written.Policy != nil:
			o = written.Policy
		case written.App != nil:
			o = written.App.Read()
		case written.Secret != nil:
			o = written.Secret
		default:
			c.t.Fatal(written.Err)
		}
		o.SetUID(uid)
		d := v1alpha1.NewDocument(o)
		key := source.KeyOf(&d)
		if c.objects[key].UID != uid {
			delete(c.good, key)
		}
		c.objects[key] = c.good.Settle(d)
	}
}

func (c *cluster) remove(kind, name string) {
	key := source.Key{Kind: kind, Namespace: "shop", Name: name}
	delete(c.objects, key)
	delete(c.good, key)
}

// load loads the objects and compares what is reported, without remedies, and what is decided.
func (c *cluster) load(errs, checks string) {
	c.t.Helper()
	var snap source.Snapshot
	for _, d := range c.objects {
		snap.Documents = append(snap.Documents, d)
	}
	loaded := c.loader.load(snap)
	var got []string
	for _, err := range loaded.errors {
		text, _, _ := strings.Cut(err.Error(), ";")
		got = append(got, text)
	}
	if want := slices.Collect(lines(errs)); !slices.Equal(got, want) {
		c.t.Errorf("errors\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	decide(c.t, loaded.set, checks)
}

func decide(t *testing.T, set *policy.Set, checks string) {
	t.Helper()
	for block := range strings.SplitSeq(strings.TrimSpace(checks), "\n\n") {
		check(t, set, block)
	}
}

const (
	requirements = `
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: key, namespace: shop}
spec: {apiKey: {checksum: Ignored}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: signed, namespace: shop}
spec: {signature: {profile: rfc9421}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: a, namespace: shop}
spec: {hosts: [a.test], security: [{key: []}, {signed: []}]}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: b, namespace: shop}
spec: {hosts: [b.test], security: [{login: []}]}
---
`
	login = `
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: login, namespace: shop}
spec: {jwt: {issuers: [{issuer: internal, audiences: [orders], secretRef: {name: hmac, key: login}}]}}
`
	acme = `
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: acme, namespace: shop}
spec:
  credentials:
  - {name: signer, signing: {keyId: AK1, secretRef: {name: hmac, key: acme}}}
  - {name: plain, apiKey: {digest: "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"}} # of "key"
`
	hmacSecret = `
apiVersion: v1
kind: Secret
metadata: {name: hmac, namespace: shop, labels: {postern.dev/credential: signing}}
stringData: {acme: 0123456789abcdef0123456789abcdef, login: 0123456789abcdef0123456789abcdef}
`
	alone = `
apiVersion: v1
kind: Secret
metadata: {name: alone, namespace: shop, labels: {postern.dev/credential: api-key}}
stringData: {key: alone}
`
)

// answers to a signature, a token, the App's API key and the one that stands in a Secret.
func answers(signed, token, plain, alone string) string {
	return "GET a.test/\nsign: AK1 0123456789abcdef0123456789abcdef\n= " + signed +
		"\n\nGET b.test/\ntoken: internal 0123456789abcdef0123456789abcdef\n= " + token +
		"\n\nGET a.test/\nx-api-key: key\n= " + plain +
		"\n\nGET a.test/\nx-api-key: alone\n= " + alone
}

const (
	allowed   = "allow authenticated app:shop/acme"
	annPasses = "allow authenticated ann"
	byAlone   = "allow authenticated app:shop/alone"

	noSecret = "App shop/acme: spec.credentials[0].signing.secretRef: there is no usable Secret shop/hmac\n"
	noLogin  = "AuthScheme shop/login: spec.jwt.issuers[0].secretRef: there is no usable Secret shop/hmac\n"
	noScheme = "AuthPolicy shop/b: spec.security[0].login: there is no usable AuthScheme \"login\" in namespace shop or postern-system\n"
)

// TestSecretGone: in a cluster, what was made of a Secret ends with it. What is wrong with one that is there takes nothing
// away, nor does an object that names another that is not there yet.
func TestSecretGone(t *testing.T) {
	c := newCluster(t)
	c.apply("1", requirements+login+"---"+acme+"---"+hmacSecret+"---"+alone)
	whole := answers(allowed, annPasses, allowed, byAlone)
	c.load("", whole)

	c.remove(v1alpha1.KindSecret, "hmac")
	without := answers("deny unknown_key", "deny policy_invalid", allowed, byAlone)
	c.load(noSecret+noLogin+noScheme, without)
	c.load(noSecret+noLogin+noScheme, without)

	c.apply("2", hmacSecret) // the same values
	c.load("", whole)
	c.apply("2", strings.Replace(hmacSecret, "acme: 0123456789abcdef0123456789abcdef", "acme: short", 1))
	c.load("App shop/acme: spec.credentials[0].signing.secretRef: the secret has 5 bytes, fewer than 16\n", whole)
	c.apply("2", strings.Replace(hmacSecret, "acme: 0123456789abcdef0123456789abcdef,", "", 1))
	c.load("App shop/acme: spec.credentials[0].signing.secretRef: the Secret shop/hmac has no value \"acme\"\n",
		answers("deny unknown_key", annPasses, allowed, byAlone))

	c.apply("3", strings.Replace(hmacSecret, "acme: 0123456789abcdef0123456789abcdef", "acme: short", 1))
	c.load("App shop/acme: spec.credentials[0].signing.secretRef: the secret has 5 bytes, fewer than 16\n",
		answers("deny unknown_key", annPasses, allowed, byAlone)) // it is another Secret

	c.apply("2", hmacSecret)
	c.load("", whole)
	c.apply("1", strings.ReplaceAll(login+"---"+acme, "name: hmac", "name: other"))
	c.load(strings.ReplaceAll(noSecret+noLogin, "hmac", "other"), whole)
	c.remove(v1alpha1.KindSecret, "hmac")
	c.load(strings.ReplaceAll(noSecret+noLogin+noScheme, "hmac", "other"), without)
}

// TestRecreated: an object of the same name as one that was deleted has no last good version of that, also if nobody saw
// the time between.
func TestRecreated(t *testing.T) {
	c := newCluster(t)
	everything := requirements + login + "---" + acme + "---" + hmacSecret + "---" + alone
	c.apply("1", everything)
	c.load("", answers(allowed, annPasses, allowed, byAlone))
	c.remove(v1alpha1.KindAuthScheme, "login")
	c.apply("2", strings.ReplaceAll(login+"---"+acme, "name: hmac", "name: other"))
	c.apply("2", strings.Replace(alone, "metadata: {", "metadata: {annotations: {postern.dev/scopes: '\"'}, ", 1))
	c.load(`Secret shop/alone: metadata.annotations["postern.dev/scopes"]: number 1 is not a scope`+"\n"+
		strings.ReplaceAll(noSecret+noLogin+noScheme, "hmac", "other"),
		answers("deny unknown_key", "deny policy_invalid", "deny unknown_key", "deny unknown_key"))

	c.apply("2", everything)
	c.load("", answers(allowed, annPasses, allowed, byAlone))
	c.apply("3", strings.Replace(strings.Split(requirements, "---")[3], "login", "none", 1))
	c.load(strings.ReplaceAll(noScheme, "login", "none"), answers(allowed, "deny policy_invalid", allowed, byAlone))
}

// TestDraftOfCluster: an App that Postern refuses turns off what it says, and no file is read for it.
func TestDraftOfCluster(t *testing.T) {
	c := newCluster(t)
	c.apply("1", requirements+login+"---"+acme+"---"+hmacSecret+"---"+alone)
	c.load("", answers(allowed, annPasses, allowed, byAlone))
	bad := strings.Replace(acme, "secretRef: {name: hmac, key: acme}", "secret: {file: /dev/null}", 1)
	const wrong = "App shop/acme: spec.credentials[0].signing.secret: names a file, and an object of a cluster has none\n"
	c.apply("1", bad)
	c.load(wrong, answers(allowed, annPasses, allowed, byAlone))
	c.apply("1", strings.Replace(bad, "{name: plain", "{name: renamed", 1))
	c.load(wrong, answers(allowed, annPasses, "deny unknown_key", byAlone))
	c.apply("1", strings.Replace(bad, "spec:", "spec:\n  disabled: true", 1))
	c.load(wrong, answers("deny app_not_accepted", annPasses, "deny app_not_accepted", byAlone))
	if files := c.loader.apps.states.files(); len(files) != 0 {
		t.Errorf("read %v", files)
	}
}
