package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// show sends a step's request, prints it with its answer, and reports whether the answer was right.
func (s *stage) show(ctx context.Context, out io.Writer, st step) bool {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	before := s.upstream.Hits()
	s.ran = nil
	r, err := st.request(ctx, s)
	s.last = r
	var a harness.Answer
	if err == nil {
		a, err = r.Send(ctx, s.envoy.Address)
	}
	faults := st.check(a, s.upstream.Hits()-before)
	if err != nil {
		faults = []string{err.Error()}
	}
	mark := "✓"
	if len(faults) > 0 {
		mark = "✗"
	}
	fmt.Fprintf(out, "\n%s %d  %s\n", mark, a.Status, st.title)
	for _, command := range s.ran {
		printLine(out, "$ "+command)
	}
	printLine(out, r.Method+" "+r.Target)
	for _, f := range r.Fields {
		if !strings.HasPrefix(f, "Host:") {
			printLine(out, f)
		}
	}
	if r.Body != "" {
		printLine(out, r.Body)
	}
	for _, line := range summary(a) {
		printLine(out, "→ "+line)
	}
	for _, fault := range faults {
		printLine(out, "wrong: "+fault)
	}
	return len(faults) == 0
}

// printLine prints what belongs to a step, cut to the width of a terminal.
func printLine(out io.Writer, line string) {
	const width = 110
	if text := []rune(line); len(text) > width {
		line = string(text[:width-1]) + "…"
	}
	fmt.Fprintf(out, "       %s\n", line)
}

// summary returns what is worth showing of an answer: of the upstream's what it was told about the caller, of a denial
// the challenges and the problem document without its type and request id.
func summary(a harness.Answer) []string {
	if a.Status == http.StatusOK {
		return identity(a)
	}
	var lines []string
	for _, name := range []string{"WWW-Authenticate", "Accept-Signature"} {
		for _, v := range a.Headers.Values(name) {
			lines = append(lines, name+": "+v)
		}
	}
	var problem struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
	}
	if a.Code() == "" || json.Unmarshal([]byte(a.Body), &problem) != nil {
		return append(lines, "answered by Envoy itself")
	}
	short, err := json.Marshal(problem)
	if err != nil {
		return append(lines, err.Error())
	}
	return append(lines, string(short))
}

// identity returns what the upstream was told about the caller, and what else is worth showing.
func identity(a harness.Answer) []string {
	echo, err := a.Echo()
	if err != nil {
		return []string{err.Error()}
	}
	var told []string
	for _, name := range []string{"X-Auth-Subject", "X-Auth-Tenant", "X-Auth-Scopes", "Cookie"} {
		if v := echo.Headers.Get(name); v != "" {
			told = append(told, "upstream saw "+name+": "+v)
		}
	}
	if told == nil {
		told = []string{"upstream saw no identity"}
	}
	if strings.Contains(echo.Target, "?") {
		told = append(told, "upstream saw "+echo.Target)
	}
	return told
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
