package signature

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// template is the format that a scheme describes itself, with an HMAC ([v1alpha1.SignatureTemplate]).
//
// Signed is the text, each placeholder in it replaced by the value as it arrived: nothing is decoded, and no value is
// looked at for placeholders. All values but {body} are printable ASCII, and whatever the text names must be there.
//
//	{method} {method_lower}   the method, as sent or in lower case
//	{scheme}                  https or http; set external.scheme, since clients choose what Envoy sees
//	{host}                    the host as sent, with its port if the client named one; or external.authority
//	{path} {query} {target}   up to '?', after it, and both as in the request line
//	{query_sorted}            the query's parameters, as sent, in the order of their names and then of their values
//	{header:NAME}             a field that occurs once, without the blanks around it
//	{timestamp} {nonce} {key_id}   the header that the template names for it
//	{body}                    the body's bytes
//	{body_sha256_hex} {body_sha256_b64} {body_md5_b64}   a digest of it, the hexadecimal one in lower case
//
// A text that does not cover all that the scheme's cover says is refused when it is loaded. So is one in which two
// values stand side by side and nothing tells where the first one ends. What remains is for its author to heed: with a
// separator that the value before it may hold, bytes can be moved across it. "{path}.{query}" is the same for /a.b?c
// and /a?b.c. No value but {body} holds a line feed, so a text that separates with \n and has the body or its digest
// last stands for one request only. {query_sorted} does not say which of two values of one parameter came first.
//
// What its clients cannot sign is what the text leaves out.
type template struct {
	text      templateText
	origin    origin
	algorithm string
	header    string // of the signature, as the template writes it
	signature templateSignature
	keyID     *templateField // nil: the scheme's App tells the key
	nonce     *templateField // nil: there is none
	timestamp *templateField // nil: nothing says when a request was signed
	unit      timeUnit
	hasBody   bool // the text covers the body
}

var templateAlgorithms = []*algorithm{hmacSHA256, hmacSHA384, hmacSHA512}

var errTimestamp = malformed("the timestamp is not written in the unit that the template says")

func newTemplate(spec *v1alpha1.SignatureScheme) (*format, error) {
	if spec.Template == nil {
		return nil, errors.New("template: is missing; describe the format")
	}
	p, err := compileTemplate(spec.Template)
	if err != nil {
		return nil, err
	}
	p.origin = newOrigin(spec.External)
	if !slices.Contains(spec.Algorithms, p.algorithm) {
		return nil, fmt.Errorf("algorithms: %s, which template.algorithm says, is not among them; leave algorithms out", p.algorithm)
	}
	if err := p.checkCover(spec); err != nil {
		return nil, fmt.Errorf("template.text: %w", err)
	}
	// Every signature covers what the text does, so nothing is left to require of a single one.
	return &format{profile: p, algorithms: templateAlgorithms, timeless: p.timestamp == nil}, nil
}

// compileTemplate makes all that verifier and signer share.
func compileTemplate(t *v1alpha1.SignatureTemplate) (*template, error) {
	p := &template{algorithm: cmp.Or(t.Algorithm, hmacSHA256.name), header: t.Signature.Header}
	if algorithmNamed(p.algorithm, templateAlgorithms) == nil {
		return nil, fmt.Errorf("template.algorithm: %q is not known; use hmac-sha256, hmac-sha384 or hmac-sha512", p.algorithm)
	}
	var err error
	if p.text, err = compileText(t); err != nil {
		return nil, fmt.Errorf("template.text: %w", err)
	}
	p.hasBody = p.text.covers("body")
	if err := p.compileSignature(&t.Signature); err != nil {
		return nil, err
	}
	if t.KeyID != nil {
		p.keyID = newTemplateField(t.KeyID.Header)
	}
	if t.Nonce != nil {
		p.nonce = newTemplateField(t.Nonce.Header)
		if !p.text.covers("nonce") {
			return nil, errNonceUnsigned
		}
	}
	if t.Timestamp != nil {
		var known bool
		p.timestamp = newTemplateField(t.Timestamp.Header)
		if p.unit, known = timeUnits[t.Timestamp.Unit]; !known {
			return nil, fmt.Errorf("template.timestamp.unit: %q is not known; use s, ms or rfc3339", t.Timestamp.Unit)
		}
		if !p.text.covers("timestamp") {
			return nil, errTimestampUnsigned
		}
	}
	return p, nil
}

var (
	errNonceUnsigned     = errors.New("template.nonce: what is not signed proves nothing; put {nonce} into template.text, or leave template.nonce out")
	errTimestampUnsigned = errors.New("template.timestamp: what is not signed proves nothing; put {timestamp} into template.text, or leave template.timestamp out")
)

func (p *template) compileSignature(t *v1alpha1.TemplateSignature) error {
	how, known := templateEncodings[t.Encoding]
	if !known {
		return fmt.Errorf("template.signature.encoding: %q is not known; use hex, base64 or base64url", t.Encoding)
	}
	p.signature = templateSignature{
		templateField: *newTemplateField(t.Header), templateEncoding: how, prefix: t.Prefix,
		shared:  t.Prefix != "" && strings.EqualFold(t.Header, "authorization"),
		misread: malformed(fmt.Sprintf("%s is not %q and a signature in %s", t.Header, t.Prefix, t.Encoding)),
	}
	p.signature.absent = fmt.Errorf("%w: no signature in %s", authz.ErrNoCredential, t.Header)
	return nil
}

// coveredBy says what to write into a text to cover something.
var coveredBy = map[string]string{
	"method": "{method}", "host": "{host}", "path": "{path}", "query": "{query_sorted}", "timestamp": "{timestamp}",
	"nonce": "{nonce}", "body": "{body_sha256_hex}",
}

// checkCover makes sure that the text covers what must be. MD5 does not: two bodies with one digest are easily made.
func (p *template) checkCover(spec *v1alpha1.SignatureScheme) error {
	var missing, add, rest []string
	for _, name := range spec.Cover {
		switch {
		case name == "body" && spec.Body == v1alpha1.BodyUnbound:
		case p.text.covers(name):
			rest = append(rest, name)
		default:
			missing, add = append(missing, name), append(add, coveredBy[name])
		}
	}
	switch {
	case len(missing) > 0:
		remedy := "add " + strings.Join(add, ", ")
		if len(rest) > 0 {
			remedy += ", or say in so many words that less is enough: cover: [" + strings.Join(rest, ", ") + "]"
		}
		if slices.Contains(missing, "body") {
			remedy += "; {body_md5_b64} does not count, for two bodies with one MD5 digest are easily made"
		}
		return fmt.Errorf("does not cover %s; %s", strings.Join(missing, ", "), remedy)
	case spec.Body == v1alpha1.BodyRequired && !p.text.covers("body"):
		return errors.New("does not cover the body, which body: Required asks of every request; add {body_sha256_hex}")
	default:
		return nil
	}
}

func (p *template) parse(r *authz.Request, c *claim) (err error) {
	c.algorithm = p.algorithm
	if c.signature, err = p.signature.value(r, c.signature); err != nil {
		return err
	}
	if p.keyID != nil {
		if c.keyID, err = p.keyID.value(r); err != nil {
			return err
		}
	}
	if p.nonce != nil {
		if c.nonce, err = p.nonce.value(r); err != nil {
			return err
		}
	}
	if p.timestamp != nil {
		text, err := p.timestamp.value(r)
		if err != nil {
			return err
		}
		var ok bool
		if c.created, ok = p.unit.read(text); !ok {
			return errTimestamp
		}
	}
	return nil
}

func (p *template) base(r *authz.Request, _ *claim, _ int, buf []byte) ([]byte, bool, error) {
	base, err := p.text.append(p.origin, r, buf)
	return base, false, err
}

func (p *template) bindsBody(*authz.Request, *claim) bool { return p.hasBody }

// checkBody has nothing left to compare: the base was made with the body.
func (p *template) checkBody(*authz.Request, []byte) error { return nil }

func (p *template) challenge(realm string) authz.Challenge {
	return authz.Challenge{
		Scheme: "Signature",
		Params: []authz.Field{{Name: "realm", Value: realm}, {Name: "header", Value: p.header}},
	}
}

// signTemplate signs in the format of q.Template. Key id, timestamp and nonce that the request does not carry yet are
// added to it, a random nonce where q has none.
func signTemplate(q *SignRequest) (*Signed, error) {
	if q.Template == nil {
		return nil, errors.New("template: is missing; describe the format")
	}
	p, err := compileTemplate(q.Template)
	if err != nil {
		return nil, err
	}
	if q.Algorithm != "" && q.Algorithm != p.algorithm {
		return nil, fmt.Errorf("algorithm: %s is not the template's, which is %s", q.Algorithm, p.algorithm)
	}
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	out := &Signed{}
	if err := p.complete(r, q, out); err != nil {
		return nil, err
	}
	base, _, err := p.base(r, nil, 0, nil)
	if err != nil {
		return nil, err
	}
	sig, err := signWith(templateAlgorithms, p.algorithm, q.Key, base)
	if err != nil {
		return nil, err
	}
	out.Base = string(base)
	out.Headers = append(out.Headers, authz.Header{Name: p.header, Value: p.signature.prefix + p.signature.encode(sig)})
	return out, nil
}

// complete adds the headers that the template names, other than the signature's, where they are not there.
func (p *template) complete(r *authz.Request, q *SignRequest, out *Signed) error {
	t := q.Template
	if t.KeyID != nil {
		if q.KeyID == "" {
			return errors.New("keyId: is missing; the template sends it in " + t.KeyID.Header)
		}
		out.addTo(r, t.KeyID.Header, q.KeyID)
	}
	if t.Timestamp != nil {
		if q.Created.IsZero() {
			return errors.New("created: is missing; the template signs {timestamp}")
		}
		out.addTo(r, t.Timestamp.Header, p.unit.write(q.Created))
	}
	if t.Nonce != nil {
		out.addTo(r, t.Nonce.Header, cmp.Or(q.Nonce, rand.Text()))
	}
	return nil
}

// addTo adds a header to the request and to what is to be sent beside it, unless the request has it.
func (s *Signed) addTo(r *authz.Request, name, value string) {
	if _, n := r.Header(strings.ToLower(name)); n > 0 {
		return
	}
	r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(name), Value: value})
	s.Headers = append(s.Headers, authz.Header{Name: name, Value: value})
}
