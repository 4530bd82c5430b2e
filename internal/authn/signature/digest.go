package signature

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// digestField is a field in which clients state digests of the body.
type digestField struct {
	name    string
	syntax  *authz.Failure // it cannot be read
	none    *authz.Failure // no digest in it proves anything
	differs *authz.Failure // the body is another
}

func newDigestField(name, syntax string) *digestField {
	return &digestField{
		name:    strings.ToLower(name),
		syntax:  malformed(name + " is not " + syntax),
		none:    fail(authz.ReasonNotCovered, name+" holds neither sha-256 nor sha-512"),
		differs: fail(authz.ReasonBodyMismatch, "the body does not have the digest in "+name),
	}
}

var (
	contentDigests = newDigestField("Content-Digest", "a dictionary of byte sequences, each algorithm once")
	reprDigests    = newDigestField("Repr-Digest", "a dictionary of byte sequences, each algorithm once")
	oldDigests     = newDigestField("Digest", "a list of algorithm=base64, each algorithm once")
)

// checkDigests compares the body with the fields of RFC 9530. Repr-Digest counts where the body is what it is of. Where
// both fields are there both must hold, whichever of them is signed: the other may have been added on the way.
func checkDigests(r *authz.Request, body []byte) error {
	_, content := r.Header(contentDigests.name)
	if _, n := r.Header(reprDigests.name); n > 0 && isRepresentation(r) {
		if err := reprDigests.check(r, body); err != nil || content == 0 {
			return err
		}
	}
	return contentDigests.check(r, body)
}

// isRepresentation reports whether the body is a whole representation in its content coding, which Repr-Digest is of,
// and neither a part of one nor a patch.
func isRepresentation(r *authz.Request) bool {
	_, ranges := r.Header("content-range")
	return ranges == 0 && r.Method != "PATCH"
}

// check compares the body, as the client encoded it, with the field. Every sha-256 and sha-512 in it must match and one
// must be there; other algorithms are deprecated or unknown and prove nothing.
func (f *digestField) check(r *authz.Request, body []byte) error {
	var (
		s       scanner
		seen    keySet
		room    [sha512.Size]byte
		matched bool
	)
	for i := range r.Headers {
		if r.Headers[i].Name != f.name {
			continue
		}
		for s.line(r.Headers[i].Value); !s.done(); {
			name, err := s.key()
			if err != nil || !s.eat('=') || seen.add(name) != nil {
				return f.syntax
			}
			claimed, err := s.bytes(room[:0])
			if err != nil || s.comma() != nil {
				return f.syntax
			}
			switch sum := contentDigest(name, body); {
			case sum == nil:
			case subtle.ConstantTimeCompare(sum, claimed) != 1:
				return f.differs
			default:
				matched = true
			}
		}
	}
	if !matched {
		return f.none
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
		seen    keySet
		room    [sha512.Size]byte
		matched bool
	)
	for i := range r.Headers {
		if r.Headers[i].Name != oldDigests.name {
			continue
		}
		for item := range strings.SplitSeq(r.Headers[i].Value, ",") {
			name, text, ok := strings.Cut(trim(item), "=")
			name = strings.ToLower(name)
			if !ok || seen.add(name) != nil {
				return oldDigests.syntax
			}
			sum := contentDigest(name, body)
			if sum == nil {
				continue
			}
			claimed, ok := appendBase64(room[:0], text)
			switch {
			case !ok:
				return oldDigests.syntax
			case subtle.ConstantTimeCompare(sum, claimed) != 1:
				return oldDigests.differs
			}
			matched = true
		}
	}
	if !matched {
		return oldDigests.none
	}
	return nil
}
