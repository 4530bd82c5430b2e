package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestValidateErrors(t *testing.T) {
	const address = "write host:port with a port from 0 to 65535, or unix:///path of at most 107 bytes"
	for _, tt := range []struct{ name, text, want string }{
		{"address without port", "extauthz:\n  address: localhost",
			`postern.yaml:2: extauthz.address: "localhost" is not an address to listen on; ` + address},
		{"port too large", "ops: {address: ':65536'}", `postern.yaml:1: ops.address: ":65536" is not an address to listen on; ` + address},
		{"port by name", "ops: {address: ':http'}", `postern.yaml:1: ops.address: ":http" is not an address to listen on; ` + address},
		{"relative socket", "ops: {address: 'unix://a.sock'}",
			`postern.yaml:1: ops.address: "unix://a.sock" is not an address to listen on; ` + address},
		{"long socket", "ops: {address: 'unix:///" + strings.Repeat("a", 107) + "'}",
			`postern.yaml:1: ops.address: "unix:///` + strings.Repeat("a", 107) + `" is not an address to listen on; ` + address},
		{"empty address", "ops: {address: ''}", `postern.yaml:1: ops.address: "" is not an address to listen on; ` + address},
		{"same address", "ops: {address: '127.0.0.1:9001'}",
			`postern.yaml:1: ops.address: "127.0.0.1:9001" is the address of extauthz already; give it another port`},
		{"no key", "extauthz:\n  tls: {certFile: tls.crt}",
			"postern.yaml:2: extauthz.tls.keyFile: the private key is missing; name the private key of certFile"},
		{"no certificate", "extauthz:\n  tls: {keyFile: tls.key}",
			"postern.yaml:2: extauthz.tls.certFile: the certificate is missing; name the certificate that keyFile belongs to"},
		{"only client CA", "extauthz: {tls: {clientCAFile: ca.crt}}",
			"postern.yaml:1: extauthz.tls.clientCAFile: client certificates need a server certificate; set certFile and keyFile too"},
		{"missing file", "keystore: {pepperFile: salt}",
			"postern.yaml:1: keystore.pepperFile: DIR/salt: no such file or directory; name a readable file"},
		{"directory for a file", "keystore: {pepperFile: policies}",
			"postern.yaml:1: keystore.pepperFile: DIR/policies is a directory; name a file in it"},
		{"missing directory", "resources: {dir: other}",
			"postern.yaml:1: resources.dir: DIR/other: no such file or directory; name the directory of the resources, or give --resources"},
		{"file for a directory", "resources: {dir: pepper}",
			"postern.yaml:1: resources.dir: DIR/pepper is not a directory; name the directory that holds it"},
		{"no directory", "resources: {dir: ''}",
			"postern.yaml:1: resources.dir: no directory is named; name the directory of the resources, or give --resources"},
		{"namespace", "resources: {sharedNamespace: Shared}",
			`postern.yaml:1: resources.sharedNamespace: "Shared" is not the name of a namespace; use up to 63 lower-case letters, digits and inner hyphens`},
		{"directory and cluster", "resources:\n  kubernetes: {}\n  dir: policies",
			"postern.yaml:3: resources.dir: resources come from a cluster already; keep one of dir and kubernetes"},
		{"no such Kubernetes namespace", "resources:\n  kubernetes:\n    namespaces: [shop, Shop]",
			`postern.yaml:3: resources.kubernetes.namespaces[1]: "Shop" is not the name of a namespace; use up to 63 lower-case letters, digits and inner hyphens`},
		{"Kubernetes namespace twice", "resources: {kubernetes: {namespaces: [shop, shop]}}",
			`postern.yaml:1: resources.kubernetes.namespaces[1]: "shop" is there twice; remove one of them`},
		{"no kubeconfig", "resources: {kubernetes: {kubeconfig: gone}}",
			"postern.yaml:1: resources.kubernetes.kubeconfig: DIR/gone: no such file or directory; name a readable file"},
		{"Lease prefix", "resources: {kubernetes: {leasePrefix: Edge}}",
			`postern.yaml:1: resources.kubernetes.leasePrefix: "Edge" is not the name that Leases can begin with; use up to 63 lower-case letters, digits and inner hyphens`},
		{"Gateway API", "resources: {kubernetes: {gatewayAPI: 'On'}}",
			`postern.yaml:1: resources.kubernetes.gatewayAPI: "On" is not known; use one of Auto, Enabled, Disabled`},
		{"grant without namespace", "hostGrants:\n- hosts: [a.example]",
			`postern.yaml:2: hostGrants[0].namespace: "" is not the name of a namespace; use up to 63 lower-case letters, digits and inner hyphens`},
		{"grant without hosts", "hostGrants:\n- namespace: shop",
			"postern.yaml:2: hostGrants[0].hosts: no host is granted; list the hosts that the namespace may have"},
		{"host with port", "hostGrants:\n- namespace: shop\n  hosts:\n  - a.example\n  - a.example:80",
			`postern.yaml:5: hostGrants[0].hosts[1]: "a.example:80" is not a host pattern; write a lower-case name without port, or *. before one`},
		{"inner wildcard", "hostGrants: [{namespace: shop, hosts: ['a.*.example']}]",
			`postern.yaml:1: hostGrants[0].hosts[0]: "a.*.example" is not a host pattern; write a lower-case name without port, or *. before one`},
		{"upper case", "hostGrants: [{namespace: shop, hosts: [A.example]}]",
			`postern.yaml:1: hostGrants[0].hosts[0]: "A.example" is not a host pattern; write a lower-case name without port, or *. before one`},
		{"no database", "keystore: {pepperFile: pepper, database: {}}",
			"postern.yaml:1: keystore.database: no database is named; set sqlite, for one replica, or postgres"},
		{"two databases", "keystore: {pepperFile: pepper, database: {sqlite: {file: a.db}, postgres: {dsnFile: dsn}}}",
			"postern.yaml:1: keystore.database.postgres: there is an SQLite database already; keep one of sqlite and postgres"},
		{"database without pepper", "keystore:\n  database: {sqlite: {file: a.db}}",
			"postern.yaml:2: keystore.pepperFile: the database keeps API keys as hmac-sha256 digests, and there is no pepper; " +
				"name a file with a line such as p1:<base64>; make the second half with: openssl rand -base64 32"},
		{"secrets without database", "keystore: {secretsFile: secrets.json}",
			"postern.yaml:1: keystore.secretsFile: nothing is sealed where there is no database; set keystore.database, or remove it"},
		{"no SQLite file", "keystore: {pepperFile: pepper, database: {sqlite: {}}}",
			"postern.yaml:1: keystore.database.sqlite.file: the file is missing; name the file; it is made if it is not there"},
		{"SQLite nowhere", "keystore: {pepperFile: pepper, database: {sqlite: {file: data/a.db}}}",
			"postern.yaml:1: keystore.database.sqlite.file: DIR/data: no such file or directory; make the directory, or name a file in another"},
		{"SQLite below a file", "keystore: {pepperFile: pepper, database: {sqlite: {file: pepper/a.db}}}",
			"postern.yaml:1: keystore.database.sqlite.file: DIR/pepper is not a directory; name a file in a directory"},
		{"SQLite in a directory's place", "keystore: {pepperFile: pepper, database: {sqlite: {file: policies}}}",
			"postern.yaml:1: keystore.database.sqlite.file: DIR/policies is a directory; name a file in it"},
		{"no DSN", "keystore: {pepperFile: pepper, database: {postgres: {}}}",
			"postern.yaml:1: keystore.database.postgres.dsnFile: nothing says where the database is; name the file that holds the connection string"},
		{"DSN missing", "keystore: {pepperFile: pepper, database: {postgres: {dsnFile: gone}}}",
			"postern.yaml:1: keystore.database.postgres.dsnFile: DIR/gone: no such file or directory; name a readable file"},
		{"one connection", "keystore: {pepperFile: pepper, database: {postgres: {dsnFile: dsn, maxConnections: 1}}}",
			"postern.yaml:1: keystore.database.postgres.maxConnections: 1 is out of bounds; use 2 to 1000"},
		{"slow connection", "keystore: {pepperFile: pepper, database: {postgres: {dsnFile: dsn, connectTimeout: 1h}}}",
			"postern.yaml:1: keystore.database.postgres.connectTimeout: 1h0m0s is out of bounds; use 100ms to 1m0s"},
		{"admin without database", "admin: {callersFile: callers.yaml}",
			"postern.yaml:1: admin.callersFile: there is no database that the admin API could manage; set keystore.database, or remove it"},
		{"admin for everybody", "keystore: {pepperFile: pepper, database: {sqlite: {file: a.db}}}\nadmin: {callersFile: callers.yaml, address: ':9002'}",
			`postern.yaml:2: admin.address: ":9002" can be reached from other machines, and tokens would cross the network in plain text; ` +
				"set admin.tls, or listen on 127.0.0.1 or a unix:///path"},
		{"admin on a network", "keystore: {pepperFile: pepper, database: {sqlite: {file: a.db}}}\nadmin: {callersFile: callers.yaml, address: '192.0.2.1:9002'}",
			`postern.yaml:2: admin.address: "192.0.2.1:9002" can be reached from other machines, and tokens would cross the network in plain text; ` +
				"set admin.tls, or listen on 127.0.0.1 or a unix:///path"},
		{"admin where Envoy asks", "keystore: {pepperFile: pepper, database: {sqlite: {file: a.db}}}\nadmin: {callersFile: callers.yaml, address: '127.0.0.1:9001'}",
			`postern.yaml:2: admin.address: "127.0.0.1:9001" is the address of extauthz already; give it another port`},
		{"admin for nobody", "admin: {address: '127.0.0.1:1'}",
			"postern.yaml:1: admin.callersFile: there are settings for an admin API, and nobody may call it; name the file that says who may call"},
		{"admin TLS for nobody", "admin: {tls: {certFile: tls.crt, keyFile: tls.key}}",
			"postern.yaml:1: admin.callersFile: there are settings for an admin API, and nobody may call it; name the file that says who may call"},
		{"admin without certificate", "keystore: {pepperFile: pepper, database: {sqlite: {file: a.db}}}\nadmin: {callersFile: callers.yaml, tls: {keyFile: tls.key}}",
			"postern.yaml:2: admin.tls.certFile: the certificate is missing; name the certificate that keyFile belongs to"},
		{"usage of an hour", "usage: {retention: 1h}", "postern.yaml:1: usage.retention: 1h0m0s is out of bounds; use 24h0m0s to 87600h0m0s"},
		{"usage in a hurry", "usage: {flushInterval: 10ms}", "postern.yaml:1: usage.flushInterval: 10ms is out of bounds; use 1s to 10m0s"},
		{"small key cache", "cache: {keys: 0}", "postern.yaml:1: cache.keys: 0B is out of bounds; use 1MiB to 64GiB"},
		{"small cache of unknown keys", "cache: {unknownKeys: 1KiB}", "postern.yaml:1: cache.unknownKeys: 1KiB is out of bounds; use 1MiB to 64GiB"},
		{"Redis without address", "redis: {durable: true}",
			"postern.yaml:1: redis.address: there are settings for a Redis, and no Redis; name the server, as host:port or unix:///path"},
		{"Redis anywhere", "redis: {address: ':6379'}",
			`postern.yaml:1: redis.address: ":6379" is not an address to connect to; write host:port with a port from 0 to 65535, or unix:///path`},
		{"Redis without port", "redis: {address: redis}",
			`postern.yaml:1: redis.address: "redis" is not an address to connect to; write host:port with a port from 0 to 65535, or unix:///path`},
		{"Redis user without password", "redis: {address: 'r:1', username: u}",
			"postern.yaml:1: redis.passwordFile: the password is missing; name the file that holds the password of username"},
		{"Redis password missing", "redis: {address: 'r:1', passwordFile: gone}",
			"postern.yaml:1: redis.passwordFile: DIR/gone: no such file or directory; name a readable file"},
		{"Redis CAs twice", "redis: {address: 'r:1', tls: {systemCAs: true, caFile: ca.crt}}",
			"postern.yaml:1: redis.tls.caFile: the CAs of the system are trusted already; remove it, or systemCAs"},
		{"Redis client without key", "redis: {address: 'r:1', tls: {certFile: tls.crt}}",
			"postern.yaml:1: redis.tls.keyFile: the private key is missing; name the private key of certFile"},
		{"Redis client without certificate", "redis: {address: 'r:1', tls: {keyFile: tls.key}}",
			"postern.yaml:1: redis.tls.certFile: the certificate is missing; name the certificate that keyFile belongs to"},
		{"Redis timeout", "redis: {address: 'r:1', timeout: 2s}", "postern.yaml:1: redis.timeout: 2s is out of bounds; use 5ms to 1s"},
		{"small cache", "cache: {tokens: 1B}", "postern.yaml:1: cache.tokens: 1B is out of bounds; use 1MiB to 64GiB"},
		{"no replay memory", "cache: {replay: 0}", "postern.yaml:1: cache.replay: 0B is out of bounds; use 1MiB to 64GiB"},
		{"short deadline", "limits: {deadline: 9ms}", "postern.yaml:1: limits.deadline: 9ms is out of bounds; use 10ms to 1s"},
		{"long deadline", "limits: {deadline: 1001ms}", "postern.yaml:1: limits.deadline: 1.001s is out of bounds; use 10ms to 1s"},
		{"token", "limits: {token: 128KiB}", "postern.yaml:1: limits.token: 128KiB is out of bounds; use 256B to 64KiB"},
		{"body", "limits: {body: 9MiB}", "postern.yaml:1: limits.body: 9MiB is out of bounds; use 1KiB to 8MiB"},
		{"level", "telemetry: {logLevel: loud}",
			`postern.yaml:1: telemetry.logLevel: "loud" is not known; use one of debug, info, warn, error`},
		{"format", "telemetry: {logFormat: xml}", `postern.yaml:1: telemetry.logFormat: "xml" is not known; use one of json, text`},
		{"share", "telemetry: {decisionLog: {sampleAllows: 1.5}}",
			"postern.yaml:1: telemetry.decisionLog.sampleAllows: 1.5 is out of bounds; use a share from 0 (none) to 1 (all)"},
		{"share below zero", "telemetry: {decisionLog: {sampleAllows: -0.1}}",
			"postern.yaml:1: telemetry.decisionLog.sampleAllows: -0.1 is out of bounds; use a share from 0 (none) to 1 (all)"},
		{"share not a number", "telemetry: {decisionLog: {sampleAllows: .nan}}",
			"postern.yaml:1: telemetry.decisionLog.sampleAllows: NaN is out of bounds; use a share from 0 (none) to 1 (all)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text)
			c, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Validate()
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(strings.ReplaceAll(err.Error(), path, "postern.yaml"), filepath.Dir(path), "DIR")
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFlagIsNamed(t *testing.T) {
	path := write(t, "ops: {address: ':1'}")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Ops.Address = "nine"
	c.FromFlag("ops.address", "--ops")
	const want = `--ops: ops.address: "nine" is not an address to listen on; ` +
		"write host:port with a port from 0 to 65535, or unix:///path of at most 107 bytes"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestDefaultNamesNoFile(t *testing.T) {
	c := Default()
	c.Resources.Dir = "/nowhere"
	const want = "resources.dir: /nowhere: no such file or directory; name the directory of the resources, or give --resources"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Bytes
		back string
	}{
		{"0", 0, "0B"}, {"1", 1, "1B"}, {"1024", KiB, "1KiB"}, {"1536B", 1536, "1536B"}, {"1536KiB", 1536 * KiB, "1536KiB"},
		{"32MiB", 32 * MiB, "32MiB"}, {"2GiB", 2 * GiB, "2GiB"}, {"1023", 1023, "1023B"},
	} {
		got, err := ParseBytes(tt.text)
		if err != nil || got != tt.want || got.String() != tt.back {
			t.Errorf("ParseBytes(%q) = %d, %v, printed %v; want %d printed %s", tt.text, got, err, got, tt.want, tt.back)
		}
	}
	for _, bad := range []string{"", "B", "MiB", "-1", "+1", "1.5MiB", "1 MiB", "1mib", "1kB", "8589934592GiB", "1e3", "0x1"} {
		if got, err := ParseBytes(bad); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", bad, got)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		in               Address
		network, address string
	}{
		{"127.0.0.1:9001", "tcp", "127.0.0.1:9001"}, {":0", "tcp", ":0"}, {"[::1]:1", "tcp", "[::1]:1"},
		{"unix:///run/a.sock", "unix", "/run/a.sock"},
	} {
		if n, a, err := tt.in.Split(); err != nil || n != tt.network || a != tt.address {
			t.Errorf("%q.Split() = %q, %q, %v", tt.in, n, a, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("ops: {address: ':1', pprof: true}\nlimits:\n  deadline: 1s\n"))
	f.Add([]byte("hostGrants: &a\n- {namespace: x, hosts: [y, *a]}\n"))
	f.Add([]byte("cache: {tokens: 1GiB}\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parse("postern.yaml", data)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without text")
			}
			return
		}
		c.Resources.Dir, c.KeyStore, c.Admin, c.ExtAuthz.TLS = ".", KeyStore{}, Admin{}, TLS{} // touch no file that the input names
		_ = c.Validate()
	})
}

// TestAdminAtHome listens where no other machine can connect, and needs no TLS.
func TestAdminAtHome(t *testing.T) {
	for _, address := range []string{"127.0.0.1:9002", "127.1.2.3:0", "[::1]:9002", "localhost:9002", "unix:///run/postern/admin"} {
		c, err := Load(write(t, "keystore: {pepperFile: pepper, database: {sqlite: {file: a.db}}}\nadmin: {callersFile: callers.yaml, address: '"+address+"'}"))
		if err == nil {
			err = c.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestValidateValues finds fault with values as Validate does, and looks for no file.
func TestValidateValues(t *testing.T) {
	for text, want := range map[string]string{
		"extauthz: {tls: {certFile: absent, keyFile: absent}}\nresources: {dir: absent}\nkeystore: {pepperFile: absent}": "",
		"ops: {address: ''}":                  "ops.address",
		"resources: {dir: ''}":                "resources.dir",
		"extauthz: {tls: {certFile: absent}}": "extauthz.tls.keyFile",
	} {
		c, err := Load(write(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if c.Validate() == nil {
			t.Errorf("%s: Validate finds nothing", text)
		}
		switch err := c.ValidateValues(); {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
