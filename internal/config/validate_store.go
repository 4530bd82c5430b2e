package config

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (v *validator) keyStore(k KeyStore) {
	v.file("keystore.pepperFile", k.PepperFile)
	v.file("keystore.secretsFile", k.SecretsFile)
	if k.Database == nil {
		if k.SecretsFile != "" {
			v.fail("keystore.secretsFile", "set keystore.database, or remove it", "nothing is sealed where there is no database")
		}
		return
	}
	if k.PepperFile == "" {
		v.fail("keystore.pepperFile", `name a file with a line such as p1:<base64>; make the second half with: openssl rand -base64 32`,
			"the database keeps API keys as hmac-sha256 digests, and there is no pepper")
	}
	v.database("keystore.database", k.Database)
}

func (v *validator) database(field string, d *Database) {
	switch {
	case d.SQLite == nil && d.Postgres == nil:
		v.fail(field, "set sqlite, for one replica, or postgres", "no database is named")
	case d.SQLite != nil && d.Postgres != nil:
		v.fail(field+".postgres", "keep one of sqlite and postgres", "there is an SQLite database already")
	case d.SQLite != nil:
		v.databaseFile(field+".sqlite.file", d.SQLite.File)
	default:
		v.postgres(field+".postgres", d.Postgres)
	}
}

// databaseFile wants a file, or the place for one.
func (v *validator) databaseFile(field, path string) {
	if path == "" {
		v.fail(field, "name the file; it is made if it is not there", "the file is missing")
		return
	}
	if v.blind {
		return
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil {
		v.fail(field, "make the directory, or name a file in another", "%s: %v", dir, reason(err))
	} else if !info.IsDir() {
		v.fail(field, "name a file in a directory", "%s is not a directory", dir)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		v.fail(field, "name a file in it", "%s is a directory", path)
	}
}

func (v *validator) postgres(field string, p *Postgres) {
	if p.DSNFile == "" {
		v.fail(field+".dsnFile", "name the file that holds the connection string", "nothing says where the database is")
	}
	v.file(field+".dsnFile", p.DSNFile)
	if n := p.MaxConnections; n != 0 && (n < 2 || n > 1000) {
		v.fail(field+".maxConnections", "use 2 to 1000", "%d is out of bounds", n)
	}
	if p.ConnectTimeout != 0 {
		v.duration(field+".connectTimeout", p.ConnectTimeout, 100*time.Millisecond, time.Minute)
	}
}

func (v *validator) admin(c *Config) {
	a := c.Admin
	v.address("admin.address", a.Address)
	v.tls("admin.tls", a.TLS)
	v.file("admin.callersFile", a.CallersFile)
	if a.CallersFile == "" {
		if v.at["admin.address"] != "" || a.TLS != (TLS{}) {
			v.fail("admin.callersFile", "name the file that says who may call", "there are settings for an admin API, and nobody may call it")
		}
		return
	}
	if c.KeyStore.Database == nil {
		v.fail("admin.callersFile", "set keystore.database, or remove it", "there is no database that the admin API could manage")
	}
	for _, other := range []struct {
		name    string
		address Address
	}{{"extauthz", c.ExtAuthz.Address}, {"ops", c.Ops.Address}} {
		if a.Address == other.address && !strings.HasSuffix(string(a.Address), ":0") {
			v.fail("admin.address", "give it another port", "%q is the address of %s already", a.Address, other.name)
		}
	}
	if !a.Address.local() && !a.TLS.Enabled() {
		v.fail("admin.address", "set admin.tls, or listen on 127.0.0.1 or a unix:///path",
			"%q can be reached from other machines, and tokens would cross the network in plain text", a.Address)
	}
}

// local reports whether only this machine can connect.
func (a Address) local() bool {
	network, address, err := a.Split()
	if err != nil || network == "unix" {
		return true // what is no address has been said to be none
	}
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
