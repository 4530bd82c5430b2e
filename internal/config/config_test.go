package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var ignoreOrigin = cmpopts.IgnoreUnexported(Config{})

// write makes a directory that holds the configuration and the files that it may name.
func write(t *testing.T, text string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt", "pepper", "redis.password", "secrets.json", "callers.yaml", "dsn"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "postern.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadEverything(t *testing.T) {
	path := write(t, `
extauthz:
  address: unix:///run/postern/authz.sock
  tls: {certFile: tls.crt, keyFile: tls.key, clientCAFile: ca.crt}
ops: {address: ":9003", pprof: true}
resources: {dir: ./policies, sharedNamespace: shared}
hostGrants:
- {namespace: shop, hosts: [shop.example.com, "*.shop.example.com"]}
keystore:
  pepperFile: pepper
  secretsFile: secrets.json
  database: {postgres: {dsnFile: dsn, maxConnections: 32, connectTimeout: 3s}}
admin:
  address: ":9002"
  tls: {certFile: tls.crt, keyFile: tls.key, clientCAFile: ca.crt}
  callersFile: callers.yaml
usage: {flushInterval: 1m, retention: 720h}
redis:
  address: redis.internal:6379
  username: postern
  passwordFile: redis.password
  tls: {caFile: ca.crt, certFile: tls.crt, keyFile: tls.key, serverName: redis}
  timeout: 50ms
  durable: true
cache: {tokens: 1GiB, replay: 2MiB, keys: 64MiB, unknownKeys: 8MiB}
limits: {deadline: 80ms, token: 4096, body: 512KiB}
telemetry:
  logLevel: debug
  logFormat: text
  decisionLog: {sampleAllows: 1, denials: false}
`)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := &Config{
		ExtAuthz: ExtAuthz{
			Address: "unix:///run/postern/authz.sock",
			TLS: TLS{
				CertFile:     filepath.Join(dir, "tls.crt"),
				KeyFile:      filepath.Join(dir, "tls.key"),
				ClientCAFile: filepath.Join(dir, "ca.crt"),
			},
		},
		Ops:        Ops{Address: ":9003", PProf: true},
		Resources:  Resources{Dir: filepath.Join(dir, "policies"), SharedNamespace: "shared"},
		HostGrants: []HostGrant{{Namespace: "shop", Hosts: []string{"shop.example.com", "*.shop.example.com"}}},
		KeyStore: KeyStore{
			PepperFile: filepath.Join(dir, "pepper"), SecretsFile: filepath.Join(dir, "secrets.json"),
			Database: &Database{Postgres: &Postgres{DSNFile: filepath.Join(dir, "dsn"), MaxConnections: 32, ConnectTimeout: 3 * time.Second}},
		},
		Admin: Admin{
			Address: ":9002",
			TLS: TLS{
				CertFile:     filepath.Join(dir, "tls.crt"),
				KeyFile:      filepath.Join(dir, "tls.key"),
				ClientCAFile: filepath.Join(dir, "ca.crt"),
			},
			CallersFile: filepath.Join(dir, "callers.yaml"),
		},
		Usage: Usage{FlushInterval: time.Minute, Retention: 720 * time.Hour},
		Redis: Redis{
			Address: "redis.internal:6379", Username: "postern", PasswordFile: filepath.Join(dir, "redis.password"),
			TLS: RedisTLS{
				CAFile: filepath.Join(dir, "ca.crt"), CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
				ServerName: "redis",
			},
			Timeout: 50 * time.Millisecond, Durable: true,
		},
		Cache:     Cache{Tokens: GiB, Replay: 2 * MiB, Keys: 64 * MiB, UnknownKeys: 8 * MiB},
		Limits:    Limits{Deadline: 80 * time.Millisecond, Token: 4 * KiB, Body: 512 * KiB},
		Telemetry: Telemetry{LogLevel: "debug", LogFormat: "text", DecisionLog: DecisionLog{SampleAllows: 1}},
	}
	if diff := cmp.Diff(want, got, ignoreOrigin); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("valid, but: %v", err)
	}
	if !got.ExtAuthz.TLS.Enabled() || !got.Redis.Enabled() || !got.Redis.TLS.Enabled() {
		t.Error("TLS or Redis is not enabled")
	}
}

func TestKubernetes(t *testing.T) {
	path := write(t, "resources: {kubernetes: {namespaces: [shop, billing], kubeconfig: tls.key, gatewayAPI: Enabled, leasePrefix: edge}}")
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &Kubernetes{
		Namespaces: []string{"shop", "billing"}, Kubeconfig: filepath.Join(filepath.Dir(path), "tls.key"), GatewayAPI: GatewayAPIEnabled,
		LeasePrefix: "edge",
	}
	if diff := cmp.Diff(want, got.Resources.Kubernetes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("valid, but: %v", err)
	}
	if got, err = Load(write(t, "resources: {kubernetes: {}}")); err != nil || got.Resources.Kubernetes == nil {
		t.Errorf("{} is a cluster too: %v", err)
	}
}

func TestSQLite(t *testing.T) {
	path := write(t, "keystore: {pepperFile: pepper, database: {sqlite: {file: keys.db}}}")
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &Database{SQLite: &SQLite{File: filepath.Join(filepath.Dir(path), "keys.db")}}
	if diff := cmp.Diff(want, got.KeyStore.Database); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("valid, but: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	for name, text := range map[string]string{
		"empty file": "", "comment": "# nothing\n", "empty sections": "extauthz:\nlimits: {}\ntelemetry: {logLevel: }\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, text)
			got, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			want := Default()
			want.Resources.Dir = filepath.Join(filepath.Dir(path), "policies")
			if diff := cmp.Diff(want, got, ignoreOrigin); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("the defaults are not valid: %v", err)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown section", "database: {sqlite: {file: a.db}}",
			"postern.yaml:1: database: unknown field; known here: extauthz, ops, resources, hostGrants, keystore, admin, usage, redis, cache, limits, telemetry"},
		{"unknown field", "extauthz:\n  adress: 127.0.0.1:9001",
			"postern.yaml:2: extauthz.adress: unknown field; known here: address, tls"},
		{"case", "ops: {Address: ':1'}", "postern.yaml:1: ops.Address: unknown field; known here: address, pprof"},
		{"empty name", "ops: {'': 1}", "postern.yaml:1: ops.: unknown field; known here: address, pprof"},
		{"unknown field in a list", "hostGrants:\n- namespace: shop\n  host: a",
			"postern.yaml:3: hostGrants[0].host: unknown field; known here: namespace, hosts"},
		{"twice", "ops:\n  pprof: true\n  pprof: false", "postern.yaml:3: ops.pprof: the field is there twice; keep one"},
		{"no mapping", "ops: 127.0.0.1:9003",
			`postern.yaml:1: ops: "127.0.0.1:9003" is not a mapping; write one of its fields below it: address, pprof`},
		{"file is a list", "- ops",
			"postern.yaml:1: a list is not a mapping; write one of its fields below it: extauthz, ops, resources, hostGrants, keystore, admin, usage, redis, cache, limits, telemetry"},
		{"no list", "hostGrants: {namespace: shop}", "postern.yaml:1: hostGrants: a mapping is not a list; write items that begin with '- '"},
		{"no text", "resources: {dir: 12}",
			`postern.yaml:1: resources.dir: "12" is not text; write text, in quotes if it looks like something else`},
		{"list for text", "resources: {dir: [a]}",
			`postern.yaml:1: resources.dir: a list is not text; write text, in quotes if it looks like something else`},
		{"no address", "ops: {address: 9003}", `postern.yaml:1: ops.address: "9003" is not an address; write host:port or unix:///path`},
		{"no bool", "ops: {pprof: yes}", `postern.yaml:1: ops.pprof: "yes" is not true or false; write true or false`},
		{"no number", "telemetry: {decisionLog: {sampleAllows: 1%}}",
			`postern.yaml:1: telemetry.decisionLog.sampleAllows: "1%" is not a number; write a number such as 0.01`},
		{"no duration", "limits: {deadline: 150}",
			`postern.yaml:1: limits.deadline: "150" is not a duration; write a number with its unit, such as 150ms`},
		{"no whole number", "keystore: {database: {postgres: {maxConnections: 1e1}}}",
			`postern.yaml:1: keystore.database.postgres.maxConnections: "1e1" is not a whole number; write a whole number such as 16`},
		{"decimal unit", "cache: {tokens: 32MB}",
			`postern.yaml:1: cache.tokens: "32MB" is not an amount of memory; write a number with B, KiB, MiB or GiB, such as 32MiB`},
		{"negative size", "limits: {body: -1}",
			`postern.yaml:1: limits.body: "-1" is not an amount of memory; write a number with B, KiB, MiB or GiB, such as 32MiB`},
		{"long value", "limits: {body: " + strings.Repeat("9", 70) + "}",
			`postern.yaml:1: limits.body: "` + strings.Repeat("9", 64) + `"… is not an amount of memory; write a number with B, KiB, MiB or GiB, such as 32MiB`},
		{"two documents", "ops: {pprof: true}\n---\nops: {pprof: false}", "postern.yaml:2: a second document begins here; keep one"},
		{"syntax", "ops: {address", "postern.yaml: line 1: did not find expected ',' or '}'; correct the YAML"},
		{"syntax of a second document", "ops: {}\n---\nops: {", "postern.yaml: line 3: did not find expected node content; correct the YAML"},
		{"several", "a: 1\nops: {b: 1}", "postern.yaml:1: a: unknown field; known here: extauthz, ops, resources, hostGrants, keystore, admin, usage, redis, cache, limits, telemetry\n" +
			"postern.yaml:2: ops.b: unknown field; known here: address, pprof"},
		{"too large", "#" + strings.Repeat("x", int(maxFile)),
			"postern.yaml: the file is larger than 1MiB; name a readable file, or start with flags alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text)
			_, err := Load(path)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), path, "postern.yaml"); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%T holds no *Error", err)
			}
		})
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, err := Load("/nowhere/postern.yaml")
	const want = "/nowhere/postern.yaml: no such file or directory; name a readable file, or start with flags alone"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAlias(t *testing.T) {
	path := write(t, "hostGrants:\n- {namespace: a, hosts: &h [x.example]}\n- {namespace: b, hosts: *h}\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x.example"}, c.HostGrants[1].Hosts); diff != "" {
		t.Error(diff)
	}
}

// TestEveryFieldIsDocumented reads the source: each field with a yaml name follows a comment of its own.
func TestEveryFieldIsDocumented(t *testing.T) {
	src, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	lines, fields := strings.Split(string(src), "\n"), 0
	for i, line := range lines {
		if !strings.Contains(line, "`yaml:") {
			continue
		}
		fields++
		if !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "//") {
			t.Errorf("config.go:%d: no comment before %s", i+1, strings.TrimSpace(line))
		}
	}
	if want := countFields(reflect.TypeFor[Config](), map[reflect.Type]bool{}); fields != want {
		t.Errorf("saw %d fields in the source, the types have %d", fields, want)
	}
}

// countFields counts the fields of t and of what is in it, each type once.
func countFields(t reflect.Type, seen map[reflect.Type]bool) int {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return 0
	}
	seen[t] = true
	n := 0
	for f := range t.Fields() {
		if f.Tag.Get("yaml") != "" {
			n += 1 + countFields(f.Type, seen)
		}
	}
	return n
}
