package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
)

// TestScenarios runs testdata/*.txtar: what becomes of a directory of resources as it changes. The files of an archive
// are steps; any that is not listed here is a file of the directory, in place of an earlier one of that name:
//
//	peppers   the pepper file; before anything else
//	remove    names of files to remove
//	errors    what the next load reports, one a line
//	fresh     those of the errors that it has not reported before; default: all of them
//	warnings  those of its warnings that it has not reported before
//	built     names of schemes that the next load makes anew
//	states    what the next load counts, a line "KIND active last_good invalid"
//	checks    loads, then decides requests, each with its answer; see check
//
// In files $sha256(KEY) and $hmac(PEPPER,KEY) are digests.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{files: map[string]string{}, want: map[string][]string{}}
			for _, f := range archive.Files {
				s.step(t, f.Name, string(f.Data))
			}
		})
	}
}

// scenario is one archive on its way.
type scenario struct {
	files   map[string]string
	want    map[string][]string // by step
	peppers string

	root      string
	version   int
	watched   *source.Files
	snapshots chan source.Snapshot
	loader    *loader
	hasher    *keystore.Hasher
	schemes   map[string]*policy.Scheme
}

func (s *scenario) step(t *testing.T, name, data string) {
	t.Helper()
	switch name {
	case "peppers":
		s.peppers = data
	case "remove":
		for line := range lines(data) {
			delete(s.files, line)
		}
	case "errors", "fresh", "warnings", "built", "states":
		s.want[name] = slices.Collect(lines(data))
	case "checks":
		if s.loader == nil {
			s.start(t)
		}
		set := s.load(t)
		for block := range strings.SplitSeq(strings.TrimSpace(data), "\n\n") {
			check(t, set, block)
		}
		clear(s.want)
	default:
		s.files[name] = data
	}
}

// start makes what outlives the steps.
func (s *scenario) start(t *testing.T) {
	t.Helper()
	s.root = t.TempDir()
	cfg := config.Default()
	cfg.Resources.Dir = filepath.Join(s.root, "now")
	if s.peppers != "" {
		cfg.KeyStore.PepperFile = filepath.Join(s.root, "peppers")
		writeFile(t, cfg.KeyStore.PepperFile, s.peppers)
	}
	p, err := newParts(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	s.hasher = p.hasher
	if s.loader, err = newLoader(cfg, p); err != nil {
		t.Fatal(err)
	}
	s.watched = source.NewFiles(cfg.Resources.Dir, slog.New(slog.DiscardHandler))
	s.snapshots = make(chan source.Snapshot)
	s.write(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.watched.Run(t.Context(), func(snap source.Snapshot) {
			select {
			case s.snapshots <- snap:
			case <-t.Context().Done():
			}
		})
	}()
	t.Cleanup(func() { <-ended })
}

// write puts all files in place at once: the directory is a link to the newest version.
func (s *scenario) write(t *testing.T) {
	t.Helper()
	s.version++
	version := fmt.Sprintf("v%d", s.version)
	for name, data := range s.files {
		writeFile(t, filepath.Join(s.root, version, name), s.expand(t, data))
	}
	link := filepath.Join(s.root, "now")
	if err := errors.Join(os.Symlink(version, link+"~"), os.Rename(link+"~", link)); err != nil {
		t.Fatal(err)
	}
}

var digests = regexp.MustCompile(`\$(sha256|hmac)\((?:(\w+),)?([^)]+)\)`)

func (s *scenario) expand(t *testing.T, text string) string {
	t.Helper()
	return digests.ReplaceAllStringFunc(text, func(call string) string {
		m := digests.FindStringSubmatch(call)
		if m[1] == "hmac" && !s.hasher.Has(m[2]) {
			return fmt.Sprintf("hmac-sha256:%s:%x", m[2], sha256.Sum256([]byte(m[3])))
		}
		d, err := s.hasher.Digest(m[2], authz.Secret(m[3]))
		if err != nil {
			t.Fatal(err)
		}
		return d.String()
	})
}

// load awaits the snapshot of what was written, and compares what comes of it.
func (s *scenario) load(t *testing.T) *policy.Set {
	t.Helper()
	if s.schemes != nil {
		s.write(t)
		s.watched.Loaded(source.Result{}) // it looks at once
	}
	var snap source.Snapshot
	select {
	case snap = <-s.snapshots:
	case <-time.After(10 * time.Second):
		t.Fatal("no snapshot: the step changes nothing")
	}
	result := s.loader.load(snap)
	got := map[string][]string{}
	for what, told := range map[string]v1alpha1.Errors{
		"errors": result.errors, "fresh": result.fresh, "warnings": result.freshWarnings,
	} {
		for _, err := range told {
			got[what] = append(got[what], strings.ReplaceAll(err.Error(), s.loader.dir+"/", ""))
		}
	}
	if _, told := s.want["fresh"]; !told {
		s.want["fresh"] = s.want["errors"]
	}
	schemes := map[string]*policy.Scheme{}
	for name, scheme := range s.loader.schemes.states.inUse() {
		schemes[name] = scheme.Scheme
	}
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		if schemes[name] != s.schemes[name] {
			got["built"] = append(got["built"], name)
		}
	}
	s.schemes = schemes
	for i := 0; i < len(result.counts); i += 3 {
		c := result.counts[i : i+3]
		got["states"] = append(got["states"], fmt.Sprintf("%s %d %d %d", c[0].Kind, c[0].Count, c[1].Count, c[2].Count))
	}
	for _, what := range []string{"errors", "fresh", "warnings", "built", "states"} {
		if want, asked := s.want[what]; asked || what == "errors" || what == "fresh" {
			if diff := cmp.Diff(slices.Concat(want), slices.Concat(got[what])); diff != "" {
				t.Errorf("version %d: %s (-want +got):\n%s", s.version, what, diff)
			}
		}
	}
	return result.set
}

// check decides one request. A block is the request, then the answer with the subject, if there is one:
//
//	GET orders.test/orders/1
//	x-api-key: acme-1          a header; "sign: KEYID SECRET" signs the request, "token: ISSUER SECRET" adds a token
//	= allow authenticated app:shop/acme
func check(t *testing.T, set *policy.Set, block string) {
	t.Helper()
	var r *authz.Request
	for line := range lines(block) {
		name, value, _ := strings.Cut(line, ": ")
		answer, isAnswer := strings.CutPrefix(line, "= ")
		switch {
		case r == nil:
			method, target, _ := strings.Cut(line, " ")
			host, path, _ := strings.Cut(target, "/")
			r = &authz.Request{Method: method, Scheme: "https", Host: host, Path: "/" + path, RawHeaders: true}
			r.Now = time.Now()
			r.Deadline = r.Now.Add(10 * time.Second)
		case isAnswer:
			if err := r.Canonicalize(); err != nil {
				t.Fatal(err)
			}
			d := set.Check(t.Context(), r)
			got := d.Verdict() + " " + d.Reason.String()
			if d.Allowed() && d.Principal != nil {
				got += " " + d.Principal.Subject
			}
			if got != answer {
				t.Errorf("%s:\n got %s, %v\nwant %s", block, got, d.Err, answer)
			}
		case name == "sign":
			sign(t, r, value)
		case name == "token":
			r.Headers = append(r.Headers, authz.Header{Name: "authorization", Value: "Bearer " + token(value, r.Now)})
		default:
			r.Headers = append(r.Headers, authz.Header{Name: name, Value: value})
		}
	}
}

// token returns one for the audience orders, of an issuer that signs with a secret.
func token(with string, now time.Time) string {
	issuer, secret, _ := strings.Cut(with, " ")
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256"}`)) + "." +
		encode(fmt.Appendf(nil, `{"iss":%q,"aud":"orders","sub":"ann","exp":%d}`, issuer, now.Add(time.Minute).Unix()))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

func sign(t *testing.T, r *authz.Request, with string) {
	t.Helper()
	id, secret, _ := strings.Cut(with, " ")
	signed, err := signature.Sign(signature.SignRequest{
		Method: r.Method, URL: r.Scheme + "://" + r.Host + r.Path, KeyID: id, Key: authz.Secret(secret),
		Created: r.Now, Nonce: rand.Text(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range signed.Headers {
		r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(h.Name), Value: h.Value})
	}
}

// lines yields the lines of a text that say something.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}
