package signature

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// SignRequest is a request and how to sign it.
type SignRequest struct {
	Profile v1alpha1.SignatureProfile // empty: rfc9421

	Method  string
	URL     string         // absolute, http or https
	Headers []authz.Header // names in any case; repeated fields as several Headers
	Body    []byte         // as it will be sent, after any content coding

	KeyID     string
	Key       any    // authz.Secret, ed25519.PrivateKey, *ecdsa.PrivateKey or *rsa.PrivateKey
	Algorithm string // also written as alg; default: the first that fits the key, and no alg

	Cover   []string  // as in AuthScheme; default: the profile's
	Created time.Time // zero: left out where the profile can do without
	Expires time.Time // zero: left out
	Nonce   string    // empty: left out, or a random one where it is to be signed by its name

	Label string // rfc9421; default: sig1
	Tag   string // rfc9421; empty: left out

	Region, Service string // aws-sigv4
	Presign         bool   // aws-sigv4: sign the URL until Expires, instead of headers

	Template *v1alpha1.SignatureTemplate // template
}

// Signed is what signing gives.
type Signed struct {
	URL     string         // where to send the request: as given, but for presigned URLs
	Headers []authz.Header // to add to the request: those of the signature, and digests and times that were not there
	Base    string         // the text that was signed
}

// Sign signs a request in its profile. A verifier of the same profile with its defaults accepts the result.
func Sign(q SignRequest) (*Signed, error) {
	if q.Profile == "" {
		q.Profile = v1alpha1.ProfileRFC9421
	}
	made, known := profiles[q.Profile]
	if !known {
		return nil, fmt.Errorf("profile %q is not known", q.Profile)
	}
	signed, err := made.sign(&q)
	if err == nil && signed.URL == "" {
		signed.URL = q.URL
	}
	return signed, err
}

// signRFC9421 signs with HTTP Message Signatures. By default it covers method, authority, path, query and, with a body,
// content-digest.
func signRFC9421(q *SignRequest) (*Signed, error) {
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	if q.Label == "" {
		q.Label = "sig1"
	}
	if len(q.Cover) == 0 {
		q.Cover = v1alpha1.ProfileRFC9421.Cover()
		if len(q.Body) > 0 {
			q.Cover = append(q.Cover, "content-digest")
		}
	}
	out := &Signed{}
	if _, n := r.Header("content-digest"); n == 0 && slices.ContainsFunc(q.Cover, isContentDigest) {
		value := "sha-256=" + byteSequence(contentDigest("sha-256", q.Body))
		r.Headers = append(r.Headers, authz.Header{Name: "content-digest", Value: value})
		out.Headers = append(out.Headers, authz.Header{Name: "Content-Digest", Value: value})
	}
	c, err := q.claim()
	if err != nil {
		return nil, err
	}
	base, _, err := origin{}.appendBase(r, c, 0, nil)
	if err != nil {
		return nil, err
	}
	sig, err := signWith(rfc9421Algorithms, q.Algorithm, q.Key, base)
	if err != nil {
		return nil, err
	}
	out.Base = string(base)
	out.Headers = append(out.Headers,
		authz.Header{Name: "Signature-Input", Value: q.Label + "=" + string(c.params)},
		authz.Header{Name: "Signature", Value: q.Label + "=" + byteSequence(sig)})
	return out, nil
}

func byteSequence(b []byte) string { return ":" + base64.StdEncoding.EncodeToString(b) + ":" }

func isContentDigest(cover string) bool {
	name, _, _ := strings.Cut(cover, ";")
	return name == "content-digest"
}

// request is what a verifier sees of q.
func (q *SignRequest) request() (*authz.Request, error) {
	u, err := url.Parse(q.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("url %q: use an absolute http or https URL without user", q.URL)
	}
	r := &authz.Request{
		Method: q.Method, Protocol: "HTTP/1.1", Scheme: u.Scheme, Host: u.Host, Path: u.EscapedPath(),
		Query: u.RawQuery, HasQuery: u.RawQuery != "" || u.ForceQuery, RawHeaders: true,
	}
	r.Body.Bytes = q.Body
	if len(q.Body) > 0 {
		r.Body.State = authz.BodyWhole
	}
	for _, h := range q.Headers {
		r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(h.Name), Value: h.Value})
	}
	return r, nil
}

// claim writes what is to be signed and reads it as a verifier does.
func (q *SignRequest) claim() (*claim, error) {
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, text := range q.Cover {
		item, err := httpsfv.UnmarshalItem([]string{identifier(text)})
		if err != nil {
			return nil, fmt.Errorf("cover: %q: %w", text, err)
		}
		list.Items = append(list.Items, item)
	}
	if !q.Created.IsZero() {
		list.Params.Add("created", q.Created.Unix())
	}
	list.Params.Add("keyid", q.KeyID)
	if q.Algorithm != "" {
		list.Params.Add("alg", q.Algorithm)
	}
	if !q.Expires.IsZero() {
		list.Params.Add("expires", q.Expires.Unix())
	}
	if q.Nonce != "" {
		list.Params.Add("nonce", q.Nonce)
	}
	if q.Tag != "" {
		list.Params.Add("tag", q.Tag)
	}
	field := httpsfv.NewDictionary()
	field.Add(q.Label, list)
	text, err := httpsfv.Marshal(field)
	if err != nil {
		return nil, fmt.Errorf("label, keyid, nonce and tag must be ASCII, the label in lower case: %w", err)
	}
	var (
		c claim
		s scanner
	)
	s.line(text[len(q.Label)+len("="):])
	if err := s.signatureInput(&c); err != nil {
		return nil, err
	}
	if c.refused != nil {
		return nil, fmt.Errorf("cover: %w", c.refused)
	}
	return &c, nil
}

// ParsePrivateKey reads a private key in PEM: PRIVATE KEY (PKCS #8), EC PRIVATE KEY or RSA PRIVATE KEY.
func ParsePrivateKey(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the private key is not PEM")
	}
	var (
		key any
		err error
	)
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a PEM block %q is no private key that signs; use PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	switch key.(type) {
	case ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey:
		return key, nil
	default:
		return nil, fmt.Errorf("a %T does not sign requests", key)
	}
}
