package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/reload"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// minToken is the least that a token may have, in bytes: a digest in a file is no protection for one that can be
// guessed.
const minToken = 32

// callersFile is the YAML that says who may call.
type callersFile struct {
	Callers []callerEntry `yaml:"callers"`
}

type callerEntry struct {
	Name        string            `yaml:"name"`        // for the record
	TokenDigest string            `yaml:"tokenDigest"` // sha256:<64 hex>
	Certificate *certificateEntry `yaml:"certificate"`
	Roles       []roleEntry       `yaml:"roles"`
}

// certificateEntry names a client certificate by exactly one of its names.
type certificateEntry struct {
	URI     string `yaml:"uri"`     // a subject alternative name, such as a SPIFFE ID
	DNS     string `yaml:"dns"`     // a subject alternative name
	Subject string `yaml:"subject"` // the common name
}

type roleEntry struct {
	Role       string   `yaml:"role"`
	Namespaces []string `yaml:"namespaces"` // or "*" for all
}

// caller is who may call.
type caller struct {
	name        string
	token       *keystore.Digest // nil: it comes with a certificate
	certificate certificateEntry
	roles       roles
}

type callers []*caller

// followCallers reads the file, and again when it has changed. certificates says whether callers are asked for one.
func followCallers(path string, certificates bool, log *slog.Logger) (*reload.Value[callers], error) {
	load := func() (callers, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("admin.callersFile: %w", err)
		}
		return parseCallers(path, data, certificates)
	}
	return reload.New("the callers file "+path, load, log, path)
}

// byToken returns the caller whose token it is, nil if it is nobody's. Its time depends on how many callers there are,
// and not on the token.
func (c callers) byToken(token authz.Secret) *caller {
	presented := keystore.Digest{Sum: sha256.Sum256([]byte(token.Reveal()))}
	var found *caller
	for _, one := range c {
		if one.token != nil && subtle.ConstantTimeCompare(one.token.Sum[:], presented.Sum[:]) == 1 {
			found = one
		}
	}
	if len(token) < minToken {
		return nil
	}
	return found
}

// byCertificate returns the caller whose certificate it is, nil if it is nobody's, or that of several.
func (c callers) byCertificate(cert *x509.Certificate) *caller {
	var found *caller
	for _, one := range c {
		if one.token != nil || !one.certificate.names(cert) {
			continue
		}
		if found != nil {
			return nil
		}
		found = one
	}
	return found
}

func (e *certificateEntry) names(cert *x509.Certificate) bool {
	switch {
	case e.URI != "":
		for _, uri := range cert.URIs {
			if uri.String() == e.URI {
				return true
			}
		}
		return false
	case e.DNS != "":
		return slices.Contains(cert.DNSNames, e.DNS)
	default:
		return e.Subject != "" && cert.Subject.CommonName == e.Subject
	}
}

// parseCallers reads a callers file. Its errors are config.Errors.
func parseCallers(path string, data []byte, certificates bool) (callers, error) {
	var file callersFile
	at, err := config.DecodeSecret(path, data, &file)
	if err != nil {
		return nil, err
	}
	p := callersParser{at: at, path: path, certificates: certificates, seen: map[string]string{}}
	if len(file.Callers) == 0 {
		p.fail("callers", "list who may call, each with a name, a tokenDigest or a certificate, and roles", "nobody may call")
	}
	var all callers
	for i := range file.Callers {
		all = append(all, p.caller(fmt.Sprintf("callers[%d]", i), &file.Callers[i]))
	}
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return all, nil
}

type callersParser struct {
	at           config.Places
	path         string
	certificates bool
	seen         map[string]string // what must not be there twice, with the field that has it
	errs         config.Errors
}

func (p *callersParser) fail(field, remedy, format string, args ...any) {
	at := p.at.Of(field)
	if at == "" {
		at = p.path
	}
	p.errs = append(p.errs, &config.Error{At: at, Field: field, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// once fails if the thing is there already.
func (p *callersParser) once(field, thing, remedy string) {
	if first, twice := p.seen[thing]; twice {
		p.fail(field, remedy, "it is that of %s already", first)
		return
	}
	p.seen[thing] = field
}

func (p *callersParser) caller(field string, e *callerEntry) *caller {
	c := &caller{name: e.Name, roles: roles{}}
	if e.Name == "" || len(e.Name) > 128 || strings.ContainsFunc(e.Name, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		p.fail(field+".name", "write one line of up to 128 characters, for the record", "the caller has no name")
	}
	p.once(field+".name", "name "+e.Name, "give each caller its own name")
	switch {
	case (e.TokenDigest == "") == (e.Certificate == nil):
		p.fail(field, "give it exactly one of tokenDigest and certificate", "it is not clear how the caller proves itself")
	case e.Certificate != nil:
		c.certificate = p.certificate(field+".certificate", e.Certificate)
	default:
		c.token = p.token(field+".tokenDigest", e.TokenDigest)
	}
	if len(e.Roles) == 0 {
		p.fail(field+".roles", "give it a role and the role's namespaces", "the caller may do nothing")
	}
	for i := range e.Roles {
		p.role(fmt.Sprintf("%s.roles[%d]", field, i), &e.Roles[i], c.roles)
	}
	return c
}

// token does not repeat the text, which may be a token that somebody put in the wrong place.
func (p *callersParser) token(field, text string) *keystore.Digest {
	d, err := keystore.ParseDigest(text)
	if err != nil || d.Pepper != "" {
		p.fail(field, "write sha256:<64 hex>; make it with: printf %s \"$TOKEN\" | sha256sum", "it is not the digest of a token")
		return nil
	}
	p.once(field, d.String(), "give each caller its own token")
	return &d
}

func (p *callersParser) certificate(field string, e *certificateEntry) certificateEntry {
	given := 0
	for _, name := range []string{e.URI, e.DNS, e.Subject} {
		if name != "" {
			given++
		}
	}
	if given != 1 {
		p.fail(field, "give exactly one of uri, dns and subject", "it is not clear which name of the certificate counts")
	}
	if !p.certificates {
		p.fail(field, "set admin.tls.clientCAFile to the CAs that sign callers' certificates, or give the caller a tokenDigest",
			"the admin API asks nobody for a certificate, so this caller could never call")
	}
	p.once(field, fmt.Sprint("certificate ", *e), "give each caller its own certificate")
	return *e
}

func (p *callersParser) role(field string, e *roleEntry, into roles) {
	granted, known := roleNames[e.Role]
	if !known {
		p.fail(field+".role", "write viewer, operator or admin", "it is no role")
	}
	if len(e.Namespaces) == 0 {
		p.fail(field+".namespaces", `list namespaces, or write "*" for all`, "the role is for no namespace")
	}
	for i, namespace := range e.Namespaces {
		if namespace != everywhere && !v1alpha1.IsDNSLabel(namespace) {
			p.fail(fmt.Sprintf("%s.namespaces[%d]", field, i), `use up to 63 lower-case letters, digits and inner hyphens, or "*" for all`,
				"it is not the name of a namespace")
		}
		into[namespace] = max(into[namespace], granted)
	}
}
