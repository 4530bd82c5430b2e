package signature

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// rfc9421 is HTTP Message Signatures (RFC 9421) for requests, with Content-Digest or Repr-Digest (RFC 9530) for bodies.
// Its clients can sign all that matters.
//
// Web Bot Auth is this profile with tag web-bot-auth: cover is ["@authority"], or with it "signature-agent", and the id
// of a key is the thumbprint of its JWK (RFC 7638). What expires says is kept; maxAge bounds a signature without it.
type rfc9421 struct {
	label, tag string // which signature counts; empty: the only one
	origin     origin
	digest     requirement // the whole Content-Digest field is covered
	repr       requirement // the whole Repr-Digest field is
	accept     string      // Accept-Signature
}

func malformed(text string) *authz.Failure {
	return authz.Fail(authz.ReasonMalformedCredential, errors.New(text))
}

var (
	errHalf         = malformed("only one of Signature-Input and Signature is there")
	errFieldsLarge  = malformed("the signature fields are longer than 8 KiB")
	errInput        = malformed("Signature-Input is not a dictionary of inner lists of strings")
	errSignature    = malformed("Signature is not a dictionary of byte sequences")
	errLabels       = malformed("Signature-Input and Signature do not carry the same labels, each once")
	errSignatures   = malformed("more than 10 signatures")
	errComponents   = malformed("more than 64 components are covered")
	errRepeated     = errors.New("a component is covered twice")
	errNoAlgorithm  = errors.New("alg is empty: no algorithm has that name")
	errPrehistoric  = errors.New("created or expires lies before 1970")
	errParamType    = malformed("a signature parameter is of the wrong type")
	errSeveral      = authz.Fail(authz.ReasonAmbiguousCredential, errors.New("several signatures could count; set rfc9421.label or rfc9421.tag"))
	errNoSignature  = fmt.Errorf("%w: no signature fields", authz.ErrNoCredential)
	errNotAddressed = fmt.Errorf("%w: no signature with the label and tag that count here", authz.ErrNoCredential)
)

// rfc9421Algorithms stand in order of preference: a key that several fit is used with the first.
var rfc9421Algorithms = []*algorithm{hmacSHA256, pureEd25519, ecdsaP256, ecdsaP384, rsaPSS, rsaV15}

func newRFC9421(spec *v1alpha1.SignatureScheme) (*format, error) {
	p := &rfc9421{origin: newOrigin(spec.External)}
	f := &format{profile: p, algorithms: rfc9421Algorithms}
	if o := spec.RFC9421; o != nil {
		p.label, p.tag = o.Label, o.Tag
		f.nonce = o.Nonce == v1alpha1.NonceRequired
	}
	digest, _, err := requireComponent("content-digest")
	if err != nil {
		return nil, err
	}
	repr, _, err := requireComponent("repr-digest")
	if err != nil {
		return nil, err
	}
	p.digest, p.repr = digest, repr

	var names []string
	for i, text := range spec.Cover {
		q, id, err := requireComponent(text)
		if err != nil {
			return nil, fmt.Errorf("cover[%d]: %w; name a derived component such as @path or a header field in lower case", i, err)
		}
		f.required, names = append(f.required, q), append(names, id)
	}
	if whole := `"content-digest"`; spec.Body != v1alpha1.BodyUnbound && !slices.Contains(names, whole) {
		names = append(names, whole)
	}
	p.accept, err = acceptSignature(p.label, p.tag, names, spec.Algorithms)
	return f, err
}

// requireComponent compiles an entry of cover and returns its canonical identifier too. Wider components stand in for
// narrower ones: @target-uri holds scheme, authority, path and query, @request-target path and query, @query every
// parameter; a field may be covered as it is or in one of its whole-field forms, which hold every member of it.
func requireComponent(text string) (requirement, string, error) {
	k, id, err := parseComponent(text)
	if err != nil {
		return requirement{}, "", err
	}
	anyOf := []component{k}
	switch {
	case k.name == "@query-param":
		anyOf = append(anyOf, component{name: "@query"}, component{name: "@target-uri"}, component{name: "@request-target"})
	case k.name == "@path", k.name == "@query":
		anyOf = append(anyOf, component{name: "@target-uri"}, component{name: "@request-target"})
	case k.name == "@authority", k.name == "@scheme":
		anyOf = append(anyOf, component{name: "@target-uri"})
	case k.name[0] != '@' && k.flags&(flagSF|flagBS) == 0:
		anyOf = append(anyOf, component{name: k.name}, component{name: k.name, flags: flagSF}, component{name: k.name, flags: flagBS})
	}
	missing := authz.Fail(authz.ReasonNotCovered, fmt.Errorf("the signature does not cover %s", id))
	return requirement{anyOf, missing}, id, nil
}

// parse reads the fields of RFC 9421 sections 4.1 and 4.2. Every signature must be well formed; only the one that
// counts must make sense here.
func (p *rfc9421) parse(r *authz.Request, c *claim) error {
	_, inputs := r.Header("signature-input")
	_, signatures := r.Header("signature")
	switch {
	case inputs == 0 && signatures == 0:
		return errNoSignature
	case inputs == 0 || signatures == 0:
		return errHalf
	case fieldBytes(r) > maxFieldBytes:
		return errFieldsLarge
	}
	var labels keySet
	label, err := p.parseInputs(r, c, &labels)
	if err != nil {
		return err
	}
	if err := parseSignatures(r, c, &labels, label); err != nil {
		return err
	}
	if label == "" {
		return errNotAddressed
	}
	if c.refused != nil {
		return authz.Fail(authz.ReasonMalformedCredential, c.refused)
	}
	return nil
}

func fieldBytes(r *authz.Request) (n int) {
	for i := range r.Headers {
		if name := r.Headers[i].Name; name == "signature-input" || name == "signature" {
			n += len(r.Headers[i].Value)
		}
	}
	return n
}

// parseInputs reads Signature-Input and leaves in c the signature that counts, whose label it returns: "" if none does.
func (p *rfc9421) parseInputs(r *authz.Request, c *claim, labels *keySet) (string, error) {
	var (
		s      scanner
		chosen scanner // stands before the value of the signature that counts
		label  string
		last   bool // that is the one in c
		count  int
	)
	for i := range r.Headers {
		if r.Headers[i].Name != "signature-input" {
			continue
		}
		for s.line(r.Headers[i].Value); !s.done(); {
			key, err := s.key()
			if err != nil || !s.eat('=') {
				return "", errInput
			}
			if labels.n == maxSignatures {
				return "", errSignatures
			}
			if labels.add(key) != nil {
				return "", errLabels
			}
			start := s
			if err := s.signatureInput(c); err != nil {
				return "", err
			}
			if last = (p.label == "" || p.label == key) && (p.tag == "" || p.tag == c.tag); last {
				label, chosen = key, start
				count++
			}
			if s.comma() != nil {
				return "", errInput
			}
		}
	}
	switch {
	case count > 1:
		return "", errSeveral
	case count == 1 && !last:
		return label, chosen.signatureInput(c)
	default:
		return label, nil
	}
}

// signatureInput reads one member's value, the covered components and the signature's parameters, into c.
func (s *scanner) signatureInput(c *claim) error {
	c.reset()
	s.out = c.params
	refuse := func(err error) {
		if c.refused == nil {
			c.refused = err
		}
	}
	err := s.innerList(func() error {
		if len(c.covered) == maxComponents {
			return errComponents
		}
		c.covered = append(c.covered, component{})
		k := &c.covered[len(c.covered)-1]
		syntax, meaning := s.readComponent(k)
		if syntax != nil {
			return errInput
		}
		if meaning != nil {
			refuse(meaning)
		}
		for i := range c.covered[:len(c.covered)-1] {
			if c.covered[i].same(k) {
				refuse(errRepeated)
			}
		}
		return nil
	})
	if err == nil {
		err = s.params(c.setParam)
	}
	c.params = s.out
	if err != nil && !errors.As(err, new(*authz.Failure)) {
		return errInput
	}
	return err
}

// setParam records a parameter of the signature (RFC 9421 section 2.3). Those it does not know are covered by the
// signature like the rest, and mean nothing here.
func (c *claim) setParam(name string, v item) error {
	want, text, at := kindString, (*string)(nil), (*time.Time)(nil)
	switch name {
	case "keyid":
		text = &c.keyID
	case "alg":
		text = &c.algorithm
	case "tag":
		text = &c.tag
	case "nonce":
		text = &c.nonce
	case "created":
		want, at = kindInteger, &c.created
	case "expires":
		want, at = kindInteger, &c.expires
	default:
		return nil
	}
	switch {
	case v.kind != want:
		return errParamType
	case text != nil:
		*text = v.text
		if name == "alg" && v.text == "" && c.refused == nil {
			c.refused = errNoAlgorithm
		}
	default:
		if v.number < 0 && c.refused == nil {
			c.refused = errPrehistoric
		}
		*at = time.Unix(v.number, 0)
	}
	return nil
}

// parseSignatures reads Signature and checks that it carries the labels; the value under the given one goes into c.
func parseSignatures(r *authz.Request, c *claim, labels *keySet, label string) error {
	var (
		s    scanner
		seen keySet
	)
	for i := range r.Headers {
		if r.Headers[i].Name != "signature" {
			continue
		}
		for s.line(r.Headers[i].Value); !s.done(); {
			key, err := s.key()
			if err != nil || !s.eat('=') {
				return errSignature
			}
			if !labels.has(key) || seen.add(key) != nil {
				return errLabels
			}
			// Values that do not count are read over the memory of the one that does, and thrown away.
			value, err := s.bytes(c.signature)
			if err != nil || s.comma() != nil {
				return errSignature
			}
			if key == label {
				c.signature = value
			}
		}
	}
	if seen.n != labels.n {
		return errLabels
	}
	return nil
}

func (p *rfc9421) base(r *authz.Request, c *claim, n int, buf []byte) ([]byte, bool, error) {
	return p.origin.appendBase(r, c, n, buf)
}

func (p *rfc9421) bindsBody(r *authz.Request, c *claim) bool {
	return p.digest.metBy(c) || p.repr.metBy(c) && isRepresentation(r)
}

func (p *rfc9421) checkBody(r *authz.Request, body []byte) error { return checkDigests(r, body) }

func (p *rfc9421) challenge(realm string) authz.Challenge {
	return authz.Challenge{
		Scheme:  "Signature",
		Params:  []authz.Field{{Name: "realm", Value: realm}},
		Headers: []authz.Header{{Name: "accept-signature", Value: p.accept}},
	}
}
