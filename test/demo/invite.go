package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postern-auth/postern/test/harness"
)

// sign has `postern sign` sign a request for a scheme, as a partner's script would.
func (s *stage) sign(ctx context.Context, scheme string, r harness.Request) (harness.Request, error) {
	args := []string{"sign", "--resources", s.shop.Dir, "--scheme", "shop/" + scheme, "-o", "json", "-X", r.Method}
	if scheme != "stripe" { // it names its App itself
		args = append(args, "--app", "shop/acme")
	}
	if r.Body != "" {
		args = append(args, "-d", r.Body)
	}
	out, err := exec.CommandContext(ctx, s.bin, append(args, "http://"+r.Field("Host")+r.Target)...).Output()
	if err != nil {
		return r, fmt.Errorf("postern sign: %w", err)
	}
	var signed struct {
		Headers map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(out, &signed); err != nil {
		return r, fmt.Errorf("postern sign printed no JSON: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(signed.Headers)) {
		r = r.With(name + ": " + signed.Headers[name])
	}
	return r, nil
}

// invite prints what a reader can paste into another terminal.
func (s *stage) invite(out io.Writer) {
	_, port, _ := strings.Cut(s.envoy.Address, ":")
	fill := strings.NewReplacer(
		"{url}", "http://localhost:"+port,
		"{key}", s.shop.Key,
		"{token}", s.shop.Issuer.Token(map[string]any{"scope": "orders:read", "org": "acme"}),
		"{dir}", filepath.Dir(s.bin),
		"{env}", strings.Join(s.admin.Env(), " "),
		"{metrics}", s.postern.Ops+"/metrics",
	)
	_, _ = fill.WriteString(out, `
Everything stays up until Ctrl-C. In another terminal:

  cd {dir}
  KEY='{key}'
  TOKEN='{token}'

  curl -i {url}/orders/1
  curl -i {url}/orders/1 -H "X-API-Key: $KEY"
  curl -i {url}/orders/1 -H "Authorization: Bearer $TOKEN"
  curl -i {url}/payouts -H "X-API-Key: $KEY" -H "Authorization: Bearer $TOKEN"
  curl -i {url}/orgs/initech -H "Authorization: Bearer $TOKEN"

  # a signed request, as a scheme wants it
  ./postern sign --resources policies --scheme shop/signed --app shop/acme {url}/reports/daily | sh
  ./postern sign --resources policies --scheme shop/aws-sigv4 --app shop/acme {url}/stock | sh

  # a signed body; the second time it is a replay
  ./postern sign --resources policies --scheme shop/signed-body --app shop/acme -d '{"paid": 10}' {url}/webhooks/payment > signed
  sh signed; sh signed

  # which policy and rule decide, and why not otherwise?
  ./postern check --resources policies -H "X-API-Key: $KEY" {url}/payouts

  # a partner's key, from the first day to the last
  export {env}
  ./postern apps create initech --scopes orders:read
  ./postern keys issue initech --name first --all-scopes --ttl 30d
  ./postern keys list
  ./postern usage globex
  ./postern audit

  # change a policy: it counts at once
  ${EDITOR:-vi} policies/shop.yaml

  curl -s {metrics} | grep postern_decisions_total
`)
}
