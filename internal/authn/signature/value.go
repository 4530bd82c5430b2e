package signature

import (
	"bytes"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// fieldType is the structured type of a field.
type fieldType uint8

const (
	typeUnknown fieldType = iota
	typeItem
	typeList
	typeDictionary
)

// fieldTypes are the request fields whose definition makes them structured. A field of another name cannot be covered
// with ;sf, for its type cannot be told from its text.
var fieldTypes = map[string]fieldType{
	"accept-signature":     typeDictionary, // RFC 9421
	"available-dictionary": typeItem,       // RFC 9842
	"capsule-protocol":     typeItem,       // RFC 9297
	"client-cert":          typeItem,       // RFC 9440
	"client-cert-chain":    typeList,
	"content-digest":       typeDictionary, // RFC 9530
	"dictionary-id":        typeItem,       // RFC 9842
	"priority":             typeDictionary, // RFC 9218
	"repr-digest":          typeDictionary,
	"signature":            typeDictionary,
	"signature-input":      typeDictionary,
	"want-content-digest":  typeDictionary,
	"want-repr-digest":     typeDictionary,
}

// appendStructured appends the strict serialisation of a structured field (RFC 9421 section 2.1.1).
func appendStructured(buf []byte, r *authz.Request, name string, as fieldType) ([]byte, error) {
	if as == typeUnknown {
		return buf, errFieldType
	}
	var (
		seen  keySet
		lines int
		s     = scanner{out: buf}
	)
	for i := range r.Headers {
		if r.Headers[i].Name != name {
			continue
		}
		if lines++; lines > 1 {
			if as == typeItem {
				return s.out, errMembers
			}
			s.out = append(s.out, ", "...)
		}
		s.line(r.Headers[i].Value)
		if err := s.structured(as, &seen); err != nil {
			return s.out, errMembers
		}
	}
	return s.out, nil
}

// structured reads a whole field line.
func (s *scanner) structured(as fieldType, seen *keySet) error {
	if as == typeItem {
		if err := s.item(); err != nil || !s.done() {
			return errSyntax
		}
		return nil
	}
	if s.done() {
		return errSyntax
	}
	for {
		if as == typeList {
			if err := s.value(); err != nil {
				return err
			}
		} else if err := s.dictionaryMember(seen); err != nil {
			return err
		}
		if err := s.comma(); err != nil || s.done() {
			return err
		}
		s.out = append(s.out, ", "...)
	}
}

func (s *scanner) dictionaryMember(seen *keySet) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	if err := seen.add(key); err != nil {
		return err
	}
	s.out = append(s.out, key...)
	bare := len(s.out)
	s.out = append(s.out, '=')
	if err := s.member(); err != nil {
		return err
	}
	if bytes.HasPrefix(s.out[bare:], []byte("=?1")) { // a key alone
		s.out = slices.Delete(s.out, bare, bare+len("=?1"))
	}
	return nil
}

// appendMember appends the value of one member of a Dictionary field (RFC 9421 section 2.1.2).
func appendMember(buf []byte, r *authz.Request, name, key string) ([]byte, error) {
	var (
		seen keySet
		s    = scanner{out: buf}
		end  = -1
	)
	for i := range r.Headers {
		if r.Headers[i].Name != name {
			continue
		}
		for s.line(r.Headers[i].Value); !s.done(); {
			k, err := s.key()
			if err != nil || seen.add(k) != nil || s.member() != nil || s.comma() != nil {
				return s.out, errMembers
			}
			if k == key {
				end = len(s.out)
			} else {
				s.out = s.out[:max(len(buf), end)]
			}
		}
	}
	if end < 0 {
		return s.out, errNoMember
	}
	return s.out, nil
}

// appendQueryParam appends the value of the one query parameter of that name (RFC 9421 section 2.2.8). Names and
// values are read as a form and written in one encoding, and compared in that.
func appendQueryParam(buf []byte, query, want string) ([]byte, error) {
	var found, ok bool
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(param, "=")
		mark := len(buf)
		if buf, ok = appendReencoded(buf, name, formKept, ' '); !ok {
			return buf, errQueryParam
		}
		named := param != "" && string(buf[mark:]) == want
		buf = buf[:mark]
		switch {
		case !named:
			continue
		case found:
			return buf, errQueryParams
		}
		found = true
		if buf, ok = appendReencoded(buf, value, formKept, ' '); !ok {
			return buf, errQueryParam
		}
	}
	if !found {
		return buf, errQueryParam
	}
	return buf, nil
}

const upperHex = "0123456789ABCDEF"

// formKept is what the application/x-www-form-urlencoded percent-encode set of the URL standard leaves as it is, beside
// letters and digits.
const formKept = "*-._"

// appendReencoded decodes s, where '+' stands for plus, and encodes it again: a space is %20, and only letters, digits
// and the bytes of kept stay as they are.
func appendReencoded(buf []byte, s, kept string, plus byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = plus
		case '%':
			var ok bool
			if c, ok = escapedByte(s, i); !ok {
				return buf, false
			}
			i += 2
		}
		buf = appendEscaped(buf, c, kept)
	}
	return buf, true
}

// escapedByte returns the byte that the three from s[i] on, which is '%', stand for.
func escapedByte[T string | []byte](s T, i int) (byte, bool) {
	if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
		return 0, false
	}
	return unhex(s[i+1])<<4 | unhex(s[i+2]), true
}

// appendEscaped appends c, percent-encoded unless it is a letter, a digit or a byte of kept.
func appendEscaped(buf []byte, c byte, kept string) []byte {
	if isAlnum(c) || strings.IndexByte(kept, c) >= 0 {
		return append(buf, c)
	}
	return append(buf, '%', upperHex[c>>4], upperHex[c&15])
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}

// trim returns a field's value without the blanks around it. Nearly every value has none, which strings.Trim takes long
// to find out.
func trim(value string) string {
	if value == "" || !isBlank(value[0]) && !isBlank(value[len(value)-1]) {
		return value
	}
	return strings.Trim(value, " \t")
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
