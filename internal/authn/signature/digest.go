package signature

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

var (
	errDigestSyntax = malformed("Content-Digest is not a dictionary of byte sequences, each algorithm once")
	errDigestNone   = authz.Fail(authz.ReasonNotCovered, errors.New("Content-Digest holds neither sha-256 nor sha-512"))
	errDigest       = authz.Fail(authz.ReasonBodyMismatch, errors.New("the body does not have the digest in Content-Digest"))

	errOldDigestSyntax = malformed("Digest is not a list of algorithm=base64")
	errOldDigestNone   = authz.Fail(authz.ReasonNotCovered, errors.New("Digest holds neither SHA-256 nor SHA-512"))
	errOldDigest       = authz.Fail(authz.ReasonBodyMismatch, errors.New("the body does not have the digest in Digest"))
)

// checkContentDigest compares the body, as the client encoded it, with the Content-Digest field (RFC 9530). Every
// sha-256 and sha-512 in it must match and one must be there; other algorithms are deprecated or unknown and prove
// nothing. Repr-Digest is of the decoded whole, which is not at hand, and is not looked at.
func checkContentDigest(r *authz.Request, body []byte) error {
	var (
		s       scanner
		seen    keySet
		room    [sha512.Size]byte
		matched bool
	)
	for i := range r.Headers {
		if r.Headers[i].Name != "content-digest" {
			continue
		}
		for s.line(r.Headers[i].Value); !s.done(); {
			name, err := s.key()
			if err != nil || !s.eat('=') || seen.add(name) != nil {
				return errDigestSyntax
			}
			claimed, err := s.bytes(room[:0])
			if err != nil || s.comma() != nil {
				return errDigestSyntax
			}
			switch sum := contentDigest(name, body); {
			case sum == nil:
			case subtle.ConstantTimeCompare(sum, claimed) != 1:
				return errDigest
			default:
				matched = true
			}
		}
	}
	if !matched {
		return errDigestNone
	}
	return nil
}

// contentDigest returns nil for an algorithm that proves nothing.
func contentDigest(algorithm string, body []byte) []byte {
	switch algorithm {
	case "sha-256":
		sum := sha256.Sum256(body)
		return sum[:]
	case "sha-512":
		sum := sha512.Sum512(body)
		return sum[:]
	default:
		return nil
	}
}

// checkDigest compares the body with the Digest field that Content-Digest replaced (RFC 3230), by the same rule. The
// names of its algorithms have no case.
func checkDigest(r *authz.Request, body []byte) error {
	var (
		room    [sha512.Size]byte
		matched bool
	)
	for i := range r.Headers {
		if r.Headers[i].Name != "digest" {
			continue
		}
		for item := range strings.SplitSeq(r.Headers[i].Value, ",") {
			name, text, ok := strings.Cut(strings.Trim(item, " \t"), "=")
			if !ok {
				return errOldDigestSyntax
			}
			sum := contentDigest(strings.ToLower(name), body)
			if sum == nil {
				continue
			}
			claimed, ok := appendBase64(room[:0], text)
			switch {
			case !ok:
				return errOldDigestSyntax
			case subtle.ConstantTimeCompare(sum, claimed) != 1:
				return errOldDigest
			}
			matched = true
		}
	}
	if !matched {
		return errOldDigestNone
	}
	return nil
}
