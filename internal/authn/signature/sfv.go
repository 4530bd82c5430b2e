package signature

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
)

var (
	errSyntax    = errors.New("not a well-formed structured field")
	errDuplicate = errors.New("a key or parameter occurs twice")
	errTooMany   = errors.New("too many keys or parameters")
)

// scanner reads structured fields (RFC 9651) and writes them to out in their one canonical form as it goes, so that
// what was signed does not depend on how it was spaced. Unlike the parsers of RFC 9651 it refuses a key that occurs
// twice, where those keep the last: whoever reads the field after us may keep the first.
//
// Strings and integers, all that a signature is made of, are read here without allocation; the rarer types go through
// httpsfv, and a fuzz test holds the whole to httpsfv.
type scanner struct {
	text string
	at   int
	out  []byte
}

// line starts on another field line. Blanks around a value are not part of it (RFC 9110 section 5.5).
func (s *scanner) line(text string) { s.text, s.at = trim(text), 0 }

func (s *scanner) done() bool { return s.at >= len(s.text) }

// eat consumes c if it comes next.
func (s *scanner) eat(c byte) bool {
	if s.done() || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) skip(blanks string) {
	for !s.done() && strings.IndexByte(blanks, s.text[s.at]) >= 0 {
		s.at++
	}
}

// comma ends a member of a list or dictionary: what follows is the next member or nothing.
func (s *scanner) comma() error {
	s.skip(" \t")
	if s.done() {
		return nil
	}
	if !s.eat(',') {
		return errSyntax
	}
	if s.skip(" \t"); s.done() {
		return errSyntax
	}
	return nil
}

// key reads the key of a dictionary member or parameter. It writes nothing.
func (s *scanner) key() (string, error) {
	start := s.at
	for ; !s.done(); s.at++ {
		c := s.text[s.at]
		first := 'a' <= c && c <= 'z' || c == '*'
		if !first && (s.at == start || !isDigit(c) && c != '_' && c != '-' && c != '.') {
			break
		}
	}
	if s.at == start {
		return "", errSyntax
	}
	return s.text[start:s.at], nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

type itemKind uint8

const (
	kindOther itemKind = iota
	kindTrue
	kindString
	kindInteger
)

// item is a bare item as far as signatures care for it.
type item struct {
	kind   itemKind
	text   string // a String's characters
	number int64  // an Integer
}

// bare reads a bare item.
func (s *scanner) bare() (item, error) {
	switch {
	case s.done():
		return item{}, errSyntax
	case s.text[s.at] == '"':
		return s.string()
	case s.text[s.at] == '-' || isDigit(s.text[s.at]):
		return s.number()
	default:
		return s.rare()
	}
}

var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

func (s *scanner) string() (item, error) {
	escaped := false
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			raw := s.text[s.at : i+1]
			s.at = i + 1
			s.out = append(s.out, raw...)
			text := raw[1 : len(raw)-1]
			if escaped {
				text = unescape.Replace(text)
			}
			return item{kind: kindString, text: text}, nil
		case c == '\\':
			if i++; i == len(s.text) || s.text[i] != '"' && s.text[i] != '\\' {
				return item{}, errSyntax
			}
			escaped = true
		case c < ' ' || c > '~':
			return item{}, errSyntax
		}
	}
	return item{}, errSyntax
}

func (s *scanner) number() (item, error) {
	i := s.at
	if s.text[i] == '-' {
		i++
	}
	for first := i; i < len(s.text) && isDigit(s.text[i]); i++ {
		if i-first == 15 {
			return item{}, errSyntax
		}
	}
	if i < len(s.text) && s.text[i] == '.' {
		return s.rare()
	}
	n, err := strconv.ParseInt(s.text[s.at:i], 10, 64)
	if err != nil {
		return item{}, errSyntax
	}
	s.at = i
	s.out = strconv.AppendInt(s.out, n, 10)
	return item{kind: kindInteger, number: n}, nil
}

// rare reads every other type: Decimal, Token, Byte Sequence, Boolean, Date, Display String.
func (s *scanner) rare() (item, error) {
	rest := s.text[s.at:]
	end := strings.IndexAny(rest, ";, \t)")
	if strings.HasPrefix(rest, `%"`) {
		if end = strings.IndexByte(rest[2:], '"'); end < 0 {
			return item{}, errSyntax
		}
		end += len(`%""`)
	}
	if end < 0 {
		end = len(rest)
	}
	v, err := httpsfv.UnmarshalItem([]string{rest[:end]})
	if err != nil {
		return item{}, errSyntax
	}
	text, err := httpsfv.Marshal(v)
	if err != nil {
		return item{}, errSyntax
	}
	s.at += end
	s.out = append(s.out, text...)
	if v.Value == true {
		return item{kind: kindTrue}, nil
	}
	return item{}, nil
}

// params reads the parameters of what was just read and calls visit, unless nil, with each.
func (s *scanner) params(visit func(name string, v item) error) error {
	var seen keySet
	for s.eat(';') {
		s.skip(" ")
		name, err := s.key()
		if err != nil {
			return err
		}
		if err := seen.add(name); err != nil {
			return err
		}
		s.out = append(append(s.out, ';'), name...)
		v := item{kind: kindTrue}
		if s.eat('=') {
			bare := len(s.out)
			s.out = append(s.out, '=')
			if v, err = s.bare(); err != nil {
				return err
			}
			if v.kind == kindTrue {
				s.out = s.out[:bare]
			}
		}
		if visit != nil {
			if err := visit(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// innerList reads an inner list without its parameters; element reads one item of it.
func (s *scanner) innerList(element func() error) error {
	if !s.eat('(') {
		return errSyntax
	}
	s.out = append(s.out, '(')
	for first := true; ; first = false {
		spaced := first
		if !s.done() && s.text[s.at] == ' ' {
			s.skip(" ")
			spaced = true
		}
		if s.eat(')') {
			s.out = append(s.out, ')')
			return nil
		}
		if !spaced {
			return errSyntax
		}
		if !first {
			s.out = append(s.out, ' ')
		}
		if err := element(); err != nil {
			return err
		}
	}
}

func (s *scanner) item() error {
	if _, err := s.bare(); err != nil {
		return err
	}
	return s.params(nil)
}

// value reads an item or an inner list.
func (s *scanner) value() error {
	if s.done() || s.text[s.at] != '(' {
		return s.item()
	}
	if err := s.innerList(s.item); err != nil {
		return err
	}
	return s.params(nil)
}

// member reads what follows the key of a dictionary member and writes it as an item or inner list: a key alone is ?1.
func (s *scanner) member() error {
	if s.eat('=') {
		return s.value()
	}
	s.out = append(s.out, "?1"...)
	return s.params(nil)
}

// bytes reads a Byte Sequence and appends what it stands for to dst. It writes nothing.
func (s *scanner) bytes(dst []byte) ([]byte, error) {
	if !s.eat(':') {
		return dst, errSyntax
	}
	n := strings.IndexByte(s.text[s.at:], ':')
	if n < 0 {
		return dst, errSyntax
	}
	text := s.text[s.at : s.at+n]
	s.at += n + 1
	dst, ok := appendBase64(dst, text)
	if !ok {
		return dst, errSyntax
	}
	return dst, nil
}

// strictBase64 is standard base64 with padding, whose last character has no stray bits.
var strictBase64 = base64.StdEncoding.Strict()

// appendBase64 appends what the text stands for in standard base64, which must be all of it.
func appendBase64(dst []byte, text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") { // which encoding/base64 skips
		return dst, false
	}
	start := len(dst)
	dst = slices.Grow(dst, base64.StdEncoding.DecodedLen(len(text)))
	n, err := strictBase64.Decode(dst[start:cap(dst)], []byte(text))
	return dst[:start+n], err == nil
}

// keySet notices keys that occur twice.
type keySet struct {
	keys [32]string
	n    int
}

func (k *keySet) has(key string) bool { return slices.Contains(k.keys[:k.n], key) }

func (k *keySet) add(key string) error {
	if k.has(key) {
		return errDuplicate
	}
	if k.n == len(k.keys) {
		return errTooMany
	}
	k.keys[k.n] = key
	k.n++
	return nil
}
