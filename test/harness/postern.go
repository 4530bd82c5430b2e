package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
)

// Postern is a running `postern serve`.
type Postern struct {
	*Process
	Port int    // of ext_authz
	Ops  string // base URL of the ops listener

	bin  string
	args []string
}

// StartPostern runs `postern serve` over a directory of resources, on ports that are free, and waits until it is
// ready. More arguments go to the command as they are.
func StartPostern(ctx context.Context, bin, resources string, more ...string) (*Postern, error) {
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	return StartPosternOn(ctx, bin, resources, ports[0], ports[1], more...)
}

// StartPosternOn is StartPostern with ports given.
func StartPosternOn(ctx context.Context, bin, resources string, port, ops int, more ...string) (*Postern, error) {
	p := &Postern{
		Port: port, Ops: "http://" + Loopback(ops), bin: bin,
		args: append([]string{
			"serve", "--resources", resources,
			"--extauthz", Loopback(port), "--ops", Loopback(ops),
		}, more...),
	}
	return p, p.Restart(ctx)
}

// Restart starts the process again, after it has ended, on the same ports.
func (p *Postern) Restart(ctx context.Context) error {
	var err error
	if p.Process, err = Start("postern", p.bin, p.args...); err != nil {
		return err
	}
	return p.AwaitReady(ctx, func() bool { return OK(ctx, p.Ops+"/readyz") })
}

// GeneratedKey is what `postern keys generate` prints.
type GeneratedKey struct {
	Key    string `json:"key"`
	Digest string `json:"digest"`
}

// GenerateKey mints an API key with the command.
func GenerateKey(ctx context.Context, bin string) (GeneratedKey, error) {
	var k GeneratedKey
	out, err := exec.CommandContext(ctx, bin, "keys", "generate", "-o", "json").Output()
	if err != nil {
		return k, fmt.Errorf("postern keys generate: %w", err)
	}
	if err := json.Unmarshal(out, &k); err != nil {
		return k, fmt.Errorf("postern keys generate: %w", err)
	}
	if k.Key == "" || k.Digest == "" {
		return k, errors.New("postern keys generate printed no key or no digest")
	}
	return k, nil
}
