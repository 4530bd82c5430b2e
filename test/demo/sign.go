package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/postern-auth/postern/test/harness"
)

// sign has `postern sign` sign a request, as a partner's script would.
func (s *stage) sign(r harness.Request) (harness.Request, error) {
	args := []string{"sign", "--key-id", harness.SigningKeyID, "--secret-file", s.secretFile(), "-o", "json", "-X", r.Method}
	if r.Body != "" {
		args = append(args, "-d", r.Body)
	}
	out, err := exec.Command(s.bin, append(args, "http://"+r.Field("Host")+r.Target)...).Output()
	if err != nil {
		return r, fmt.Errorf("postern sign: %w", err)
	}
	var signed struct {
		Headers map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(out, &signed); err != nil {
		return r, fmt.Errorf("postern sign printed no JSON: %w", err)
	}
	for name, value := range signed.Headers {
		r = r.With(name + ": " + value)
	}
	return r, nil
}

func (s *stage) secretFile() string { return filepath.Join(s.shop.Dir, "acme.secret") }

// invite prints what a reader can paste into another terminal.
func (s *stage) invite(out io.Writer) {
	_, port, _ := strings.Cut(s.envoy.Address, ":")
	fill := strings.NewReplacer(
		"{url}", "http://localhost:"+port,
		"{key}", s.shop.Key,
		"{token}", s.shop.Issuer.Token(map[string]any{"scope": "orders:read", "org": "acme"}),
		"{postern}", s.bin,
		"{secret}", s.secretFile(),
		"{policies}", s.shop.Dir,
		"{metrics}", s.postern.Ops+"/metrics",
	)
	_, _ = fill.WriteString(out, `
Everything stays up until Ctrl-C. In another terminal:

  KEY='{key}'
  TOKEN='{token}'

  curl -i {url}/orders/1
  curl -i {url}/orders/1 -H "X-API-Key: $KEY"
  curl -i {url}/orders/1 -H "Authorization: Bearer $TOKEN"
  curl -i {url}/payouts -H "X-API-Key: $KEY" -H "Authorization: Bearer $TOKEN"
  curl -i {url}/orgs/initech -H "Authorization: Bearer $TOKEN"

  # a signed request, and the same one twice
  {postern} sign --key-id acme-1 --secret-file {secret} {url}/reports/daily | sh
  {postern} sign --key-id acme-1 --secret-file {secret} -d '{"paid": 10}' {url}/webhooks/payment >/tmp/signed; sh /tmp/signed; sh /tmp/signed

  # why was this denied?
  {postern} check --resources {policies} -H "X-API-Key: $KEY" {url}/payouts

  # change a policy: it counts at once
  $EDITOR {policies}/shop.yaml

  curl -s {metrics} | grep postern_decisions_total
`)
}
