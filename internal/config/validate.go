package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// Validate says everything that is wrong with the values, as Errors. It looks whether the files that the configuration
// names can be read, not at what they hold.
func (c *Config) Validate() error { return c.validate(&validator{at: c.at}) }

// ValidateValues is Validate for whoever does not serve. It looks for no file: a server's certificate is on the server.
func (c *Config) ValidateValues() error { return c.validate(&validator{at: c.at, blind: true}) }

func (c *Config) validate(v *validator) error {
	v.listeners(c)
	v.tls("extauthz.tls", c.ExtAuthz.TLS)
	v.resources(c.Resources)
	for i, g := range c.HostGrants {
		v.grant(fmt.Sprintf("hostGrants[%d]", i), g)
	}
	v.keyStore(c.KeyStore)
	v.admin(c)
	v.redis(c.Redis)
	v.cache(c.Cache)
	v.limits(c.Limits)
	v.duration("usage.flushInterval", c.Usage.FlushInterval, time.Second, 10*time.Minute)
	v.duration("usage.retention", c.Usage.Retention, 24*time.Hour, 10*365*24*time.Hour)
	v.telemetry(c.Telemetry)
	return v.errs.orNil()
}

// validator gathers errors and finds where their fields stand.
type validator struct {
	at    Places
	blind bool // to files and directories
	errs  Errors
}

// fail adds an error.
func (v *validator) fail(field, remedy, format string, args ...any) {
	v.errs = append(v.errs, &Error{At: v.at.Of(field), Field: field, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (v *validator) listeners(c *Config) {
	v.address("extauthz.address", c.ExtAuthz.Address)
	v.address("ops.address", c.Ops.Address)
	if c.Ops.Address == c.ExtAuthz.Address && !strings.HasSuffix(string(c.Ops.Address), ":0") {
		v.fail("ops.address", "give it another port", "%q is the address of extauthz already", c.Ops.Address)
	}
}

func (v *validator) address(field string, a Address) {
	if _, _, err := a.Split(); err != nil {
		v.fail(field, fmt.Sprintf("write host:port with a port from 0 to 65535, or unix:///path of at most %d bytes", maxUnixPath),
			"%q is not an address to listen on", a)
	}
}

func (v *validator) tls(field string, t TLS) {
	switch {
	case t.CertFile == "" && t.KeyFile != "":
		v.fail(field+".certFile", "name the certificate that keyFile belongs to", "the certificate is missing")
	case t.CertFile != "" && t.KeyFile == "":
		v.fail(field+".keyFile", "name the private key of certFile", "the private key is missing")
	case t.CertFile == "" && t.ClientCAFile != "":
		v.fail(field+".clientCAFile", "set certFile and keyFile too", "client certificates need a server certificate")
	}
	v.file(field+".certFile", t.CertFile)
	v.file(field+".keyFile", t.KeyFile)
	v.file(field+".clientCAFile", t.ClientCAFile)
}

// file wants a file that can be read, if one is named.
func (v *validator) file(field, path string) {
	if path == "" || v.blind {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		v.fail(field, "name a readable file", "%s: %v", path, reason(err))
		return
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		v.fail(field, "name a file in it", "%s is a directory", path)
	}
}

func (v *validator) resources(r Resources) {
	v.label("resources.sharedNamespace", "of a namespace", r.SharedNamespace)
	k := r.Kubernetes
	if k == nil {
		v.directory("resources.dir", r.Dir)
		return
	}
	const field = "resources.kubernetes"
	if v.at["resources.dir"] != "" {
		v.fail("resources.dir", "keep one of dir and kubernetes", "resources come from a cluster already")
	}
	for i, name := range k.Namespaces {
		v.label(fmt.Sprintf("%s.namespaces[%d]", field, i), "of a namespace", name)
		if slices.Contains(k.Namespaces[:i], name) {
			v.fail(fmt.Sprintf("%s.namespaces[%d]", field, i), "remove one of them", "%q is there twice", name)
		}
	}
	v.file(field+".kubeconfig", k.Kubeconfig)
	if k.GatewayAPI != "" {
		v.oneOf(field+".gatewayAPI", string(k.GatewayAPI), string(GatewayAPIAuto), string(GatewayAPIEnabled), string(GatewayAPIDisabled))
	}
	if k.LeasePrefix != "" {
		v.label(field+".leasePrefix", "that Leases can begin with", k.LeasePrefix)
	}
}

func (v *validator) directory(field, path string) {
	info, err := os.Stat(path)
	switch {
	case path == "":
		v.fail(field, "name the directory of the resources, or give --resources", "no directory is named")
	case v.blind:
	case err != nil:
		v.fail(field, "name the directory of the resources, or give --resources", "%s: %v", path, reason(err))
	case !info.IsDir():
		v.fail(field, "name the directory that holds it", "%s is not a directory", path)
	}
}

// label wants a DNS label (RFC 1123), which is what Kubernetes calls namespaces by, as the name of something.
func (v *validator) label(field, something, name string) {
	bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if name == "" || len(name) > 63 || strings.ContainsFunc(name, bad) || name[0] == '-' || name[len(name)-1] == '-' {
		v.fail(field, "use up to 63 lower-case letters, digits and inner hyphens", "%q is not the name %s", name, something)
	}
}

func (v *validator) grant(field string, g HostGrant) {
	v.label(field+".namespace", "of a namespace", g.Namespace)
	if len(g.Hosts) == 0 {
		v.fail(field+".hosts", "list the hosts that the namespace may have", "no host is granted")
	}
	for i, h := range g.Hosts {
		name, _ := strings.CutPrefix(h, "*.")
		canonical, err := authz.CanonicalHost(name)
		if err != nil || canonical != name {
			v.fail(fmt.Sprintf("%s.hosts[%d]", field, i), "write a lower-case name without port, or *. before one",
				"%q is not a host pattern", h)
		}
	}
}

func (v *validator) redis(r Redis) {
	if !r.Enabled() {
		if r.Username != "" || r.PasswordFile != "" || r.TLS.Enabled() || r.Durable {
			v.fail("redis.address", "name the server, as host:port or unix:///path", "there are settings for a Redis, and no Redis")
		}
		return
	}
	if network, address, err := r.Address.Split(); err != nil || network == "tcp" && address[0] == ':' {
		v.fail("redis.address", "write host:port with a port from 0 to 65535, or unix:///path", "%q is not an address to connect to", r.Address)
	}
	if r.Username != "" && r.PasswordFile == "" {
		v.fail("redis.passwordFile", "name the file that holds the password of username", "the password is missing")
	}
	v.file("redis.passwordFile", r.PasswordFile)
	switch t := r.TLS; {
	case t.SystemCAs && t.CAFile != "":
		v.fail("redis.tls.caFile", "remove it, or systemCAs", "the CAs of the system are trusted already")
	case t.CertFile == "" && t.KeyFile != "":
		v.fail("redis.tls.certFile", "name the certificate that keyFile belongs to", "the certificate is missing")
	case t.CertFile != "" && t.KeyFile == "":
		v.fail("redis.tls.keyFile", "name the private key of certFile", "the private key is missing")
	}
	v.file("redis.tls.caFile", r.TLS.CAFile)
	v.file("redis.tls.certFile", r.TLS.CertFile)
	v.file("redis.tls.keyFile", r.TLS.KeyFile)
	v.duration("redis.timeout", r.Timeout, 5*time.Millisecond, time.Second)
}

func (v *validator) cache(c Cache) {
	if c.Tokens != 0 {
		v.size("cache.tokens", c.Tokens, MiB, 64*GiB)
	}
	v.size("cache.replay", c.Replay, MiB, 64*GiB)
	v.size("cache.keys", c.Keys, MiB, 64*GiB)
	v.size("cache.unknownKeys", c.UnknownKeys, MiB, 64*GiB)
}

func (v *validator) limits(l Limits) {
	v.duration("limits.deadline", l.Deadline, 10*time.Millisecond, time.Second)
	v.size("limits.token", l.Token, 256, 64*KiB)
	v.size("limits.body", l.Body, KiB, 8*MiB)
}

func (v *validator) size(field string, got, least, most Bytes) {
	if got < least || got > most {
		v.fail(field, fmt.Sprintf("use %v to %v", least, most), "%v is out of bounds", got)
	}
}

func (v *validator) duration(field string, got, least, most time.Duration) {
	if got < least || got > most {
		v.fail(field, fmt.Sprintf("use %v to %v", least, most), "%v is out of bounds", got)
	}
}

func (v *validator) telemetry(t Telemetry) {
	v.oneOf("telemetry.logLevel", t.LogLevel, "debug", "info", "warn", "error")
	v.oneOf("telemetry.logFormat", t.LogFormat, "json", "text")
	if s := t.DecisionLog.SampleAllows; !(s >= 0 && s <= 1) { // not-a-number must fail too
		v.fail("telemetry.decisionLog.sampleAllows", "use a share from 0 (none) to 1 (all)", "%v is out of bounds", s)
	}
}

func (v *validator) oneOf(field, got string, known ...string) {
	if !slices.Contains(known, got) {
		v.fail(field, "use one of "+strings.Join(known, ", "), "%q is not known", got)
	}
}
