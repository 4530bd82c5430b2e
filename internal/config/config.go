// Package config is postern.yaml: how the server runs, as opposed to what it requires of callers, which is the
// business of resources.
//
// A value comes from a flag, else from the file, else from [Default]. Whoever starts the server calls [Load] (or
// Default), sets what flags say, notes that with [Config.FromFlag], and then calls [Config.Validate] once. Every error
// is an [Errors] that names file and line, or the flag, with the field and the remedy.
//
// An unknown field is an error: a setting that is silently ignored is a setting that somebody relies on.
package config

import (
	"path/filepath"
	"time"
)

// Config is postern.yaml. Paths are relative to the file's directory; Load makes them whole.
type Config struct {
	// ExtAuthz is where Envoy asks.
	ExtAuthz ExtAuthz `yaml:"extauthz"`
	// Ops is where operators look.
	Ops Ops `yaml:"ops"`
	// Resources is where schemes, policies and Apps are read from.
	Resources Resources `yaml:"resources"`
	// HostGrants says which namespaces may hold policies for which hosts. Empty: every namespace for every host.
	HostGrants []HostGrant `yaml:"hostGrants"`
	// KeyStore is where credentials are looked up beside the resources, and what that needs.
	KeyStore KeyStore `yaml:"keystore"`
	// Admin is where operators manage the Apps and keys of keystore.database.
	Admin Admin `yaml:"admin"`
	// Usage says how the use of keys is counted.
	Usage Usage `yaml:"usage"`
	// Redis is where replicas remember together which signatures were used. Without an address each remembers for itself,
	// until it ends.
	Redis Redis `yaml:"redis"`
	// Cache bounds the memory of what is remembered.
	Cache Cache `yaml:"cache"`
	// Limits bounds one check.
	Limits Limits `yaml:"limits"`
	// Telemetry says what is logged.
	Telemetry Telemetry `yaml:"telemetry"`

	at Places
}

// ExtAuthz is the listener for Envoy's checks.
type ExtAuthz struct {
	// Address is host:port or unix:///path. Default 127.0.0.1:9001.
	Address Address `yaml:"address"`
	// TLS serves TLS instead of plain text. The files are read again when they change.
	TLS TLS `yaml:"tls"`
}

// TLS is a server's certificate. Without CertFile there is no TLS.
type TLS struct {
	// CertFile holds the certificate chain in PEM, the server's own first.
	CertFile string `yaml:"certFile"`
	// KeyFile holds its private key in PEM.
	KeyFile string `yaml:"keyFile"`
	// ClientCAFile holds the CAs in PEM that clients must show a certificate of. Empty: clients need none.
	ClientCAFile string `yaml:"clientCAFile"`
}

// Enabled reports whether the listener speaks TLS.
func (t TLS) Enabled() bool { return t.CertFile != "" }

// Ops is the listener for /healthz, /readyz and /metrics. It has no TLS and no authentication.
type Ops struct {
	// Address is host:port or unix:///path. Default 127.0.0.1:9003.
	Address Address `yaml:"address"`
	// PProf also serves /debug/pprof, which shows the program's memory. Default false.
	PProf bool `yaml:"pprof"`
}

// Resources is where schemes, policies and Apps are read from: a directory, or a Kubernetes cluster.
type Resources struct {
	// Dir is a directory of YAML files, watched for changes. Default policies, unless there is Kubernetes.
	Dir string `yaml:"dir"`
	// Kubernetes, even if it is {}, watches the custom resources of a cluster instead of a directory.
	Kubernetes *Kubernetes `yaml:"kubernetes"`
	// SharedNamespace holds the schemes that policies of every namespace may name. Default postern-system.
	SharedNamespace string `yaml:"sharedNamespace"`
}

// Kubernetes is a cluster as the source of resources: AuthSchemes, AuthPolicies, Apps, the Secrets that are labelled
// postern.dev/credential, and the Gateway API.
type Kubernetes struct {
	// Namespaces are those that are watched; the shared one is too. Routes and their Gateways count only if they are in
	// one of them. Empty: all.
	Namespaces []string `yaml:"namespaces"`
	// Kubeconfig is a file that says where the cluster is. Empty: in a Pod its service account, elsewhere what kubectl
	// uses, which is $KUBECONFIG or ~/.kube/config.
	Kubeconfig string `yaml:"kubeconfig"`
	// GatewayAPI says whether policies can be attached to Gateways and routes. Auto (default): as soon as the kinds are
	// installed, which is looked for every minute. Enabled: they must be there, and nothing is ready without them.
	// Disabled: they are not watched, targetRefs find nothing, and the route that Envoy Gateway names is passed over; that
	// is for a server of Envoys that another cluster configures.
	GatewayAPI GatewayAPI `yaml:"gatewayAPI"`
	// LeasePrefix begins the names of the Leases by which replicas find one another and elect who writes statuses; those
	// that share it count as one installation. Default postern.
	LeasePrefix string `yaml:"leasePrefix"`
}

// GatewayAPI says whether the Gateway API is watched.
type GatewayAPI string

// The settings of GatewayAPI.
const (
	GatewayAPIAuto     GatewayAPI = "Auto"
	GatewayAPIEnabled  GatewayAPI = "Enabled"
	GatewayAPIDisabled GatewayAPI = "Disabled"
)

// HostGrant lets one namespace hold policies for hosts.
type HostGrant struct {
	// Namespace is the policies' namespace.
	Namespace string `yaml:"namespace"`
	// Hosts are names, or wildcards such as *.example.com for everything below.
	Hosts []string `yaml:"hosts"`
}

// KeyStore is where credentials are looked up beside the resources, and what that needs.
type KeyStore struct {
	// PepperFile holds the keys of hmac-sha256 digests, one id:base64 a line. New keys get digests by the first line, those
	// of the others keep working. It is read again when it changes. Empty: only sha256 digests can be used, and there can
	// be no database.
	PepperFile string `yaml:"pepperFile"`
	// SecretsFile holds what secrets are sealed with in the database: a Tink keyset in JSON, as `postern secrets generate`
	// makes it. It is read again when it changes. Empty: the database can hold no HMAC secrets.
	SecretsFile string `yaml:"secretsFile"`
	// Database holds Apps and keys beside those of the resources, which count where both have an App. Not set: none.
	Database *Database `yaml:"database"`
}

// Database is either of the two.
type Database struct {
	// SQLite is a file of this replica's own.
	SQLite *SQLite `yaml:"sqlite"`
	// Postgres is a server that replicas share.
	Postgres *Postgres `yaml:"postgres"`
}

// SQLite is a database in a file on a local disk.
type SQLite struct {
	// File is made if it is not there; its directory must be, and be writable. Two more files stand beside it.
	File string `yaml:"file"`
}

// Postgres is a PostgreSQL server (14 or later).
type Postgres struct {
	// DSNFile holds the connection string, postgres://user:password@host:port/database?sslmode=verify-full say, or
	// host=… user=… (libpq's manual, 34.1.1). Of several hosts the primary is taken. It is read at the start.
	DSNFile string `yaml:"dsnFile"`
	// MaxConnections is how many connections this replica may hold, 2 to 1000. Default 10.
	MaxConnections int `yaml:"maxConnections"`
	// ConnectTimeout is how long connecting may take. 100ms to 1m, default 3s.
	ConnectTimeout time.Duration `yaml:"connectTimeout"`
}

// Admin is the listener of the admin API. It is served where there are both a database and a callersFile.
type Admin struct {
	// Address is host:port or unix:///path. Default 127.0.0.1:9002. Beyond the machine itself it needs TLS.
	Address Address `yaml:"address"`
	// TLS serves TLS instead of plain text. The files are read again when they change. Here clientCAFile only lets callers
	// show a certificate: those with a token need none.
	TLS TLS `yaml:"tls"`
	// CallersFile says who may call and do what, in YAML. It is read again when it changes. Empty: nobody, and the admin API
	// is not served.
	CallersFile string `yaml:"callersFile"`
}

// Usage says how the use of keys is counted.
type Usage struct {
	// FlushInterval is how often counts are written to keystore.database; what was counted since is lost if the program is
	// killed. 1s to 10m, default 10s.
	FlushInterval time.Duration `yaml:"flushInterval"`
	// Retention is how long the counts of a day are kept; a key that was not used since shows no last use. 24h to 87600h,
	// default 9600h, which is 400 days.
	Retention time.Duration `yaml:"retention"`
}

// Redis is a Redis (6.2 or later) or Valkey server, the same for all replicas, with maxmemory-policy noeviction. While
// it cannot be asked, requests whose signature would have to be remembered are answered 503; so are, while its memory
// is new, those whose signature could have been accepted before: for the scheme's clockSkew and four seconds more, or
// for its maxAge where signatures have no time.
type Redis struct {
	// Address is host:port or unix:///path of the primary. Empty: no Redis.
	Address Address `yaml:"address"`
	// Username is the ACL user. Empty: the default user.
	Username string `yaml:"username"`
	// PasswordFile holds the password; one final newline is dropped. Empty: none. It is read for each connection.
	PasswordFile string `yaml:"passwordFile"`
	// TLS speaks TLS instead of plain text.
	TLS RedisTLS `yaml:"tls"`
	// Timeout is how long an answer may take; limits.deadline bounds it too. 5ms to 1s, default 100ms.
	Timeout time.Duration `yaml:"timeout"`
	// Durable says that this Redis never loses what it has acknowledged: appendonly yes with appendfsync always, and no
	// replica takes over that lags. Default false: after a restart of Redis, or when another server takes over, signatures
	// from before it are answered 503, for they may have been forgotten.
	Durable bool `yaml:"durable"`
}

// Enabled reports whether there is a Redis.
func (r Redis) Enabled() bool { return r.Address != "" }

// RedisTLS says how to speak TLS with Redis. Any field turns it on. The files are read for each connection.
type RedisTLS struct {
	// SystemCAs trusts the CAs of the system. Default false.
	SystemCAs bool `yaml:"systemCAs"`
	// CAFile holds the CAs in PEM that vouch for Redis, instead of the system's.
	CAFile string `yaml:"caFile"`
	// CertFile holds the certificate chain in PEM to show to Redis. Empty: none.
	CertFile string `yaml:"certFile"`
	// KeyFile holds its private key in PEM.
	KeyFile string `yaml:"keyFile"`
	// ServerName is the name in Redis's certificate. Empty: the host of the address.
	ServerName string `yaml:"serverName"`
}

// Enabled reports whether Redis speaks TLS.
func (t RedisTLS) Enabled() bool { return t != RedisTLS{} }

// Cache bounds the memory of what is remembered.
type Cache struct {
	// Tokens is for tokens whose signature was verified. Default 32MiB; 0 verifies every time.
	Tokens Bytes `yaml:"tokens"`
	// Replay is for signatures that were used, where there is no redis. When it is full, requests that would have to be
	// remembered are answered 503. Default 32MiB.
	Replay Bytes `yaml:"replay"`
	// Keys is for credentials that were found in keystore.database. 1MiB to 64GiB, default 32MiB.
	Keys Bytes `yaml:"keys"`
	// UnknownKeys is for credentials that were not found there. 1MiB to 64GiB, default 4MiB.
	UnknownKeys Bytes `yaml:"unknownKeys"`
}

// Limits bounds one check.
type Limits struct {
	// Deadline is when a check is answered 503 if nothing else was found. 10ms to 1s, default 150ms; keep it below
	// Envoy's own timeout.
	Deadline time.Duration `yaml:"deadline"`
	// Token is the longest token looked at. 256B to 64KiB, default 8KiB.
	Token Bytes `yaml:"token"`
	// Body is the longest request body that is accepted. 1KiB to 8MiB, default 1MiB; no less than Envoy's
	// max_request_bytes.
	Body Bytes `yaml:"body"`
}

// Telemetry says what is logged.
type Telemetry struct {
	// LogLevel is debug, info (default), warn or error.
	LogLevel string `yaml:"logLevel"`
	// LogFormat is json (default) or text.
	LogFormat string `yaml:"logFormat"`
	// DecisionLog says which decisions are logged, one line of JSON each.
	DecisionLog DecisionLog `yaml:"decisionLog"`
}

// DecisionLog says which decisions are logged.
type DecisionLog struct {
	// SampleAllows is the share of allowed requests to log, 0 to 1. Default 0.01.
	SampleAllows float64 `yaml:"sampleAllows"`
	// Denials logs every request that was denied, or would have been by a policy in Shadow mode. Default true.
	Denials bool `yaml:"denials"`
}

// defaultDir is where resources are if nothing says so.
const defaultDir = "policies"

// Default returns the configuration of an empty file.
func Default() *Config {
	return &Config{
		ExtAuthz:  ExtAuthz{Address: "127.0.0.1:9001"},
		Ops:       Ops{Address: "127.0.0.1:9003"},
		Resources: Resources{Dir: defaultDir, SharedNamespace: "postern-system"},
		Redis:     Redis{Timeout: 100 * time.Millisecond},
		Admin:     Admin{Address: "127.0.0.1:9002"},
		Usage:     Usage{FlushInterval: 10 * time.Second, Retention: 400 * 24 * time.Hour},
		Cache:     Cache{Tokens: 32 * MiB, Replay: 32 * MiB, Keys: 32 * MiB, UnknownKeys: 4 * MiB},
		Limits:    Limits{Deadline: 150 * time.Millisecond, Token: 8 * KiB, Body: MiB},
		Telemetry: Telemetry{
			LogLevel:    "info",
			LogFormat:   "json",
			DecisionLog: DecisionLog{SampleAllows: 0.01, Denials: true},
		},
		at: Places{},
	}
}

// FromFlag notes that a flag set the field ("ops.address", say), so that errors name the flag and not the file.
func (c *Config) FromFlag(field, flag string) { c.at[field] = flag }

// resolve makes the relative paths whole.
func (c *Config) resolve(dir string) {
	files := []*string{
		&c.Resources.Dir, &c.KeyStore.PepperFile, &c.KeyStore.SecretsFile,
		&c.ExtAuthz.TLS.CertFile, &c.ExtAuthz.TLS.KeyFile, &c.ExtAuthz.TLS.ClientCAFile,
		&c.Admin.TLS.CertFile, &c.Admin.TLS.KeyFile, &c.Admin.TLS.ClientCAFile, &c.Admin.CallersFile,
		&c.Redis.PasswordFile, &c.Redis.TLS.CAFile, &c.Redis.TLS.CertFile, &c.Redis.TLS.KeyFile,
	}
	if k := c.Resources.Kubernetes; k != nil {
		files = append(files, &k.Kubeconfig)
	}
	if d := c.KeyStore.Database; d != nil {
		if d.SQLite != nil {
			files = append(files, &d.SQLite.File)
		}
		if d.Postgres != nil {
			files = append(files, &d.Postgres.DSNFile)
		}
	}
	for _, p := range files {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}
