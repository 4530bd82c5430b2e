package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
)

func TestLoggerPrintsScalarsOnly(t *testing.T) {
	const canary = authz.Secret("canary-7f3a")
	attrs := []any{
		"text", "a\nb", "number", 1, "took", time.Second, "error", errors.New("broken"), "secret", canary,
		"names", []string{"a", "b"}, "nothing", nil,
		"request", &authz.Request{Headers: []authz.Header{{Name: "authorization", Value: string(canary)}}},
		"header", http.Header{"Authorization": {string(canary)}}, "bytes", []byte(canary), "verdict", authz.ReasonUnknownKey,
		"state", ResourceActive, "count", named(7), "list", []ResourceState{ResourceActive},
		slog.Group("in", "principal", &authz.Principal{Claims: map[string]any{"c": string(canary)}}),
	}
	for format, want := range map[string]string{
		"json": `{"level":"INFO","msg":"hello","text":"a\nb","number":1,"took":1000000000,"error":"broken","secret":"[redacted]",` +
			`"names":["a","b"],"nothing":null,"request":"[*authz.Request]","header":"[http.Header]","bytes":"[[]uint8]",` +
			`"verdict":"unknown_key","state":"active","count":"7","list":"[[]telemetry.ResourceState]","in":{"principal":"[*authz.Principal]"}}`,
		"text": `level=INFO msg=hello text="a\nb" number=1 took=1s error=broken secret=[redacted] names="[a b]" nothing=<nil> ` +
			`request=[*authz.Request] header=[http.Header] bytes=[[]uint8] verdict=unknown_key state=active count=7 ` +
			`list=[[]telemetry.ResourceState] in.principal=[*authz.Principal]`,
	} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			log, err := NewLogger(&out, format, "info")
			if err != nil {
				t.Fatal(err)
			}
			log.Debug("not shown")
			log.Info("hello", attrs...)
			got := strings.TrimSpace(out.String())
			if i := strings.Index(got, "level"); format == "text" {
				got = got[i:]
			} else {
				got = "{" + got[i-1:]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

type named int

func TestLoggerErrors(t *testing.T) {
	for _, tt := range []struct{ format, level, want string }{
		{"json", "loud", `log level "loud" is not known; use debug, info, warn or error`},
		{"xml", "info", `log format "xml" is not known; use json or text`},
	} {
		if _, err := NewLogger(nil, tt.format, tt.level); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
