package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestReloadUnderLoad: resources change again and again while requests pass. Nothing is dropped, and no request is
// decided by a mixture.
func TestReloadUnderLoad(t *testing.T) {
	eachOwn(t, func(t *testing.T, w *own) {
		load := startTraffic(t, w.Address,
			call{"/orders/1", [2]string{"X-API-Key", w.shop.Key}, []int{200}},
			call{"/orders/1", [2]string{"X-API-Key", "wrong"}, []int{401}},
			call{"/public/x", [2]string{"X-Auth-Subject", "root"}, []int{200, 401}}, // this rule changes
		)
		load.more(t, 100)
		anonymous := "security: [{}]"
		protected := "security: [{api-key: []}]"
		for i := range 10 {
			from, to, want := anonymous, protected, 401
			if i%2 == 1 {
				from, to, want = protected, anonymous, 200
			}
			w.replace(t, "shop.yaml", from, to)
			await(t, 5*time.Second, "the change counts", func() bool {
				r := bearer()
				r.Target = "/public/x"
				a, err := r.Send(t.Context(), w.Address)
				return err == nil && a.Status == want
			})
			load.more(t, 100)
		}
		if wrong := load.stop(); len(wrong) > 0 {
			t.Errorf("%d wrong answers, such as %s", len(wrong), wrong[0])
		}
	})
}

// TestBadReload: an object that cannot be used keeps its last good version, its error is in the log and the metrics
// within a second, everything else goes on, and a correction counts.
func TestBadReload(t *testing.T) {
	cases := map[string]struct{ file, old, bad, message string }{
		"unknown field":  {"shop.yaml", "match: [{path: {prefix: /public}}]", "matches: []", "matches"},
		"not YAML":       {"shop.yaml", "spec:", "spec: [", "shop.yaml:"},
		"unknown scheme": {"shop.yaml", "{api-key: []}]", "{no-such-scheme: []}]", "no-such-scheme"},
		"broken CEL":     {"shop.yaml", "principal.claims.org ==", "principal.claims.org =", "authorize"},
		"broken app":     {"apps.yaml", "sha256:", "md5:", "digest"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newOwn(t, "recommended", 1)
			p := w.posterns[0]
			if got := w.status(t, w.shop.Key); got != 200 {
				t.Fatalf("before: %d", got)
			}
			w.replace(t, c.file, c.old, c.bad)
			const soon = 3 * time.Second // promised is one; a busy machine gets more
			await(t, soon, "the error is in the log", func() bool {
				logs := p.Stdout() + p.Stderr()
				return strings.Contains(logs, c.file) && strings.Contains(logs, c.message)
			})
			await(t, soon, "the error is in the metrics", func() bool {
				return metric(t, p, "postern_resource_errors") > 0
			})
			if got := w.status(t, w.shop.Key); got != 200 {
				t.Errorf("a good key meanwhile: %d", got)
			}
			if got := w.status(t, "wrong"); got != 401 {
				t.Errorf("a wrong key meanwhile: %d", got)
			}
			w.replace(t, c.file, c.bad, c.old)
			await(t, 5*time.Second, "the correction counts", func() bool {
				return metric(t, p, "postern_resource_errors") == 0
			})
			if got := w.status(t, w.shop.Key); got != 200 {
				t.Errorf("a good key afterwards: %d", got)
			}
		})
	}
}

// TestRevoked: a key that is taken out of the resources, or disabled, is refused soon afterwards; another goes on.
func TestRevoked(t *testing.T) {
	w := newOwn(t, "recommended", 1)
	if got := w.status(t, w.shop.Reader); got != 200 {
		t.Fatalf("before: %d", got)
	}
	w.replace(t, "apps.yaml", "- name: reader", "- name: reader\n    disabled: true")
	await(t, 2*time.Second, "the key is refused", func() bool { return w.status(t, w.shop.Reader) == 401 })
	if got := w.status(t, w.shop.Key); got != 200 {
		t.Errorf("another key: %d", got)
	}
}

// TestNewObjects: objects come and go while Postern runs.
func TestNewObjects(t *testing.T) {
	w := newOwn(t, "recommended", 1)
	status := func() int {
		r := bearer("X-API-Key: " + w.shop.Key)
		edit(&r, "Host", "new.test")
		a, err := r.Send(t.Context(), w.Address)
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	if got := status(); got != 403 {
		t.Fatalf("without a policy: %d", got)
	}
	const policy = `apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: new, namespace: shop}
spec: {hosts: [new.test], security: [{%s: []}]}
`
	w.write(t, "new.yaml", fmt.Sprintf(policy, "no-such-scheme"))
	await(t, 5*time.Second, "the error is in the metrics", func() bool {
		return metric(t, w.posterns[0], "postern_resource_errors") > 0
	})
	if got := status(); got != 403 {
		t.Errorf("a policy that never was good: %d", got)
	}
	w.write(t, "new.yaml", fmt.Sprintf(policy, "api-key"))
	await(t, 5*time.Second, "the policy counts", func() bool { return status() == 200 })
	w.write(t, "new.yaml", "# nothing any more\n")
	await(t, 5*time.Second, "the policy is gone", func() bool { return status() == 403 })
}
