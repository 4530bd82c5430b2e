package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/postern-auth/postern/test/harness"
)

// show sends a step's request, prints it with its answer, and reports whether the answer was right.
func (s *stage) show(ctx context.Context, out io.Writer, st step) bool {
	r, err := st.request(s)
	s.last = r
	before := s.upstream.Hits()
	fmt.Fprintf(out, "\n  %s\n    %s\n", st.title, brief(r))
	var a harness.Answer
	if err == nil {
		a, err = r.Send(ctx, s.envoy.Address)
	}
	if err != nil {
		fmt.Fprintf(out, "  ✗ no answer: %v\n", err)
		return false
	}
	faults := st.check(a, s.upstream.Hits()-before)
	mark := "✓"
	if len(faults) > 0 {
		mark = "✗"
	}
	fmt.Fprintf(out, "  %s %d %s\n", mark, a.Status, http.StatusText(a.Status))
	for _, name := range []string{"Www-Authenticate", "Accept-Signature"} {
		for _, v := range a.Headers[name] {
			fmt.Fprintf(out, "      %s: %s\n", name, v)
		}
	}
	if a.Status == http.StatusOK {
		fmt.Fprintf(out, "      upstream saw %s\n", identity(a))
	} else {
		fmt.Fprintf(out, "      %s\n", strings.TrimSpace(a.Body))
	}
	for _, fault := range faults {
		fmt.Fprintf(out, "      wrong: %s\n", fault)
	}
	return len(faults) == 0
}

// check returns what is wrong with an answer after which the upstream counted that many more requests.
func (st step) check(a harness.Answer, hits int) (faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if a.Status != st.status {
		wrong("status %d, want %d", a.Status, st.status)
	}
	if want := map[bool]int{true: 1}[st.status == http.StatusOK]; hits != want {
		wrong("the upstream saw %d requests, want %d", hits, want)
	}
	if st.code != "" && a.Code() != st.code {
		wrong("code %q, want %q", a.Code(), st.code)
	}
	for _, want := range st.headers {
		name, value, _ := strings.Cut(want, ": ")
		if got := strings.Join(a.Headers[name], "\n"); !strings.Contains(got, value) {
			wrong("%s is %q, want it to contain %q", name, got, value)
		}
	}
	if st.sees == nil {
		return faults
	}
	echo, err := a.Echo()
	if err != nil {
		wrong("%v", err)
	}
	for _, want := range st.sees {
		name, value, _ := strings.Cut(want, ":")
		if got := strings.Join(echo.Headers[name], ", "); got != strings.TrimSpace(value) {
			wrong("the upstream saw %s: %q, want %q", name, got, strings.TrimSpace(value))
		}
	}
	return faults
}

// identity returns what the upstream was told about the caller, and what else is worth showing.
func identity(a harness.Answer) string {
	echo, err := a.Echo()
	if err != nil {
		return err.Error()
	}
	var told []string
	for _, name := range []string{"X-Auth-Subject", "X-Auth-Tenant", "X-Auth-Scopes", "Cookie"} {
		if v := echo.Headers.Get(name); v != "" {
			told = append(told, name+": "+v)
		}
	}
	if told == nil {
		told = []string{"no identity"}
	}
	if strings.Contains(echo.Target, "?") {
		told = append(told, "target "+echo.Target)
	}
	return strings.Join(told, ", ")
}

// brief returns a request on one line, long values cut.
func brief(r harness.Request) string {
	line := r.Method + " " + shorten(r.Target)
	for _, f := range r.Fields {
		if name, value, _ := strings.Cut(f, ": "); name != "Host" {
			line += "  " + name + ": " + shorten(value)
		}
	}
	if r.Body != "" {
		line += "  " + r.Body
	}
	return line
}

func shorten(s string) string {
	if len(s) <= 60 {
		return s
	}
	return s[:40] + "…"
}
