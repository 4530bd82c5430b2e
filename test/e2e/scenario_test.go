package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/postern-auth/postern/test/harness"
)

// TestScenarios runs testdata/scenarios. A section is one request, a line each:
//
//	> GET /orders HTTP/1.1         what is sent, ended by CRLF; {key} stands for a credential
//	>"GET /a\x00 HTTP/1.1"         the same, as a Go string
//	>> {"a": 1}                    the body
//	< 401 unauthenticated          the status, and the problem's code if Postern answers
//	<naive 400 bad_request         the status behind one of the Envoys; the other is left out unless it has one too
//	< Www-Authenticate: Bearer     a part of an answer's header
//	^ X-Auth-Subject: alice        a header that the upstream sees
//	^ !X-Api-Key                   one that it does not
//	^ :target /orders              the request target that it sees
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			for _, section := range archive.Files {
				t.Run(section.Name, func(t *testing.T) {
					s, err := parseScenario(string(section.Data))
					if err != nil {
						t.Fatal(err)
					}
					for _, g := range world.gates {
						if s.status[""] != "" || s.status[g.name] != "" {
							t.Run(g.name, func(t *testing.T) { s.run(t, g) })
						}
					}
				})
			}
		})
	}
}

// scenario is one request and what must come of it.
type scenario struct {
	request  string
	body     string
	status   map[string]string // by gate; "" for both
	headers  []string
	upstream []string
}

func parseScenario(text string) (scenario, error) {
	s := scenario{status: map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "":
		case strings.HasPrefix(line, `>"`):
			sent, err := strconv.Unquote(line[1:])
			if err != nil {
				return s, fmt.Errorf("%s: %w", line, err)
			}
			s.request += sent + "\r\n"
		case mark == ">":
			s.request += rest + "\r\n"
		case mark == ">>":
			s.body += rest
		case mark == "<" && strings.Contains(rest, ": "):
			s.headers = append(s.headers, rest)
		case strings.HasPrefix(mark, "<"):
			s.status[mark[1:]] = rest
		case mark == "^":
			s.upstream = append(s.upstream, rest)
		default:
			return s, fmt.Errorf("cannot read the line %q", line)
		}
	}
	if s.body != "" {
		s.request += fmt.Sprintf("Content-Length: %d\r\n", len(s.body))
	}
	s.request += "\r\n" + s.body
	if len(s.status) == 0 {
		return s, errors.New("no status is expected")
	}
	return s, nil
}

func (s scenario) run(t *testing.T, g gate) {
	want := cmp.Or(s.status[g.name], s.status[""])
	message := fillCredentials(s.request)
	method, _, _ := strings.Cut(message, " ")
	a, seen := g.observe(t, func() (harness.Answer, error) {
		return harness.Exchange(t.Context(), g.Address, method, []byte(message))
	})
	got := strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Code()))
	status, _, coded := strings.Cut(want, " ")
	if coded && got != want || strconv.Itoa(a.Status) != status {
		t.Fatalf("answered %q, want %q\n%v\n%s", got, want, a.Headers, a.Body)
	}
	for _, h := range s.headers {
		name, part, _ := strings.Cut(h, ": ")
		if values := strings.Join(a.Headers[name], "\n"); !strings.Contains(values, part) {
			t.Errorf("the answer's %s is %q, want it to contain %q", name, values, part)
		}
	}
	if a.Status == http.StatusOK {
		s.checkUpstream(t, seen)
	}
}

// fillCredentials replaces {key} and the like.
func fillCredentials(text string) string {
	for name, value := range world.creds {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

func (s scenario) checkUpstream(t *testing.T, seen *harness.Received) {
	t.Helper()
	for _, want := range s.upstream {
		name, value, _ := strings.Cut(fillCredentials(want), ": ")
		switch absent, target := strings.TrimPrefix(name, "!"), strings.TrimPrefix(want, ":target "); {
		case target != want:
			if seen.Target != target {
				t.Errorf("the upstream saw the target %q, want %q", seen.Target, target)
			}
		case absent != name:
			if values, ok := seen.Headers[absent]; ok {
				t.Errorf("the upstream saw %s: %q", absent, values)
			}
		default:
			if values := strings.Join(seen.Headers[name], ", "); values != value {
				t.Errorf("the upstream saw %s: %q, want %q", name, values, value)
			}
		}
	}
}
