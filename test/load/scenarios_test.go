package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestEveryCheckIsAllowed runs the scenarios briefly. How fast they are is for `make bench` to say; here every answer
// must be an allow, or the run fails.
func TestEveryCheckIsAllowed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const names = "self,apikey,jwt-es256,jwt-rs256,hmac,jwt-new"
	var out bytes.Buffer
	err := run(ctx, []string{"-rounds", "1", "-duration", "50ms", "-o", "json", "-only", names}, &out, io.Discard)
	if err != nil && !errors.Is(err, errExceeded) {
		t.Fatal(err)
	}
	var report struct{ Results []result }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range report.Results {
		got = append(got, r.Name)
		if r.Base <= 0 || r.Subject <= 0 || r.Measured <= 0 || r.Limit <= 0 {
			t.Errorf("%s measured nothing: %+v", r.Name, r)
		}
	}
	if strings.Join(got, ",") != names {
		t.Errorf("ran %v", got)
	}
}

// TestStoredKeys runs the scenarios with a database as briefly, over few keys.
func TestStoredKeys(t *testing.T) {
	for name, open := range map[string]func(context.Context, string) (*database, error){"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first time, PostgreSQL is installed
			defer cancel()
			results, err := measure(ctx, plan{1, 50 * time.Millisecond}, []scenario{{name, name, stored(open, 2000)}}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if r := results[0]; r.Base <= 0 || r.Subject <= 0 || r.Measured <= 0 || r.Note == "" {
				t.Errorf("it measured nothing: %+v", r)
			}
		})
	}
}
