package jwt

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest; the outermost object counts.
const maxDepth = 16

var (
	errJSON      = errors.New("not one JSON object")
	errDuplicate = errors.New("a JSON member stands twice in one object")
	errDepth     = errors.New("JSON nested too deep")
	errNumber    = errors.New("a JSON number that is out of range")
)

// decodeObject reads text as exactly one JSON object (RFC 8259), where another reader could see nothing else: valid
// UTF-8, no member twice in one object, no lone surrogate, nothing after the end, nesting up to maxDepth.
//
// Values are nil, bool, string, []any and map[string]any, and for numbers int64 when written as an integer and float64
// otherwise. So identifiers stay exact and CEL sees int and double, which it compares with each other. An integer
// beyond int64 is refused: rounded, it would equal its neighbours.
//
// Strings share the memory of text where they hold no escape.
func decodeObject(text string) (map[string]any, error) {
	if !utf8.ValidString(text) {
		return nil, errJSON
	}
	d := decoder{text: text}
	d.space()
	if d.peek() != '{' {
		return nil, errJSON
	}
	object, err := d.object(1)
	if err != nil {
		return nil, err
	}
	if d.space(); d.at < len(text) {
		return nil, errJSON
	}
	return object, nil
}

// decoder reads text from at on.
type decoder struct {
	text string
	at   int
}

// peek returns the next byte, 0 at the end. A NUL in the text is no JSON either.
func (d *decoder) peek() byte {
	if d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

// take skips the next byte if it is c.
func (d *decoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.at++
	return true
}

func (d *decoder) space() {
	for {
		switch d.peek() {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	switch c := d.peek(); {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '"':
		return d.string()
	case c == '-' || isDigit(c):
		return d.number()
	case d.word("true"):
		return true, nil
	case d.word("false"):
		return false, nil
	case d.word("null"):
		return nil, nil //nolint:nilnil // the value of null
	default:
		return nil, errJSON
	}
}

func (d *decoder) word(w string) bool {
	if !strings.HasPrefix(d.text[d.at:], w) {
		return false
	}
	d.at += len(w)
	return true
}

func (d *decoder) object(depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	d.at++
	members := map[string]any{}
	if d.space(); d.take('}') {
		return members, nil
	}
	for {
		d.space()
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, errDuplicate
		}
		if d.space(); !d.take(':') {
			return nil, errJSON
		}
		d.space()
		if members[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
		if d.space(); d.take('}') {
			return members, nil
		}
		if !d.take(',') {
			return nil, errJSON
		}
	}
}

func (d *decoder) array(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	d.at++
	items := []any{}
	if d.space(); d.take(']') {
		return items, nil
	}
	for {
		d.space()
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if d.space(); d.take(']') {
			return items, nil
		}
		if !d.take(',') {
			return nil, errJSON
		}
	}
}

func (d *decoder) number() (any, error) {
	start := d.at
	d.take('-')
	if !d.take('0') && !d.digits() {
		return nil, errJSON
	}
	whole := true
	if d.take('.') {
		whole = false
		if !d.digits() {
			return nil, errJSON
		}
	}
	if d.take('e') || d.take('E') {
		whole = false
		if !d.take('+') {
			d.take('-')
		}
		if !d.digits() {
			return nil, errJSON
		}
	}
	if whole {
		n, err := strconv.ParseInt(d.text[start:d.at], 10, 64)
		if err != nil {
			return nil, errNumber
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(d.text[start:d.at], 64)
	if err != nil {
		return nil, errNumber
	}
	return f, nil
}

// digits skips digits and reports whether there was one.
func (d *decoder) digits() bool {
	start := d.at
	for isDigit(d.peek()) {
		d.at++
	}
	return d.at > start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (d *decoder) string() (string, error) {
	if !d.take('"') {
		return "", errJSON
	}
	start := d.at
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			s := d.text[start:d.at]
			d.at++
			return s, nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", errJSON
		}
	}
	return "", errJSON
}

// escaped reads the rest of a string that began at start and whose first escape is next.
func (d *decoder) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(d.text[start:d.at])
	for d.at < len(d.text) {
		c := d.text[d.at]
		d.at++
		switch {
		case c == '"':
			return b.String(), nil
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		case c < ' ':
			return "", errJSON
		default:
			b.WriteByte(c)
		}
	}
	return "", errJSON
}

// escape reads what follows a backslash.
func (d *decoder) escape() (rune, error) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	c := d.peek()
	d.at++
	if i := strings.IndexByte(letters, c); i >= 0 {
		return rune(meanings[i]), nil
	}
	if c != 'u' {
		return 0, errJSON
	}
	r, ok := d.hex()
	if !ok {
		return 0, errJSON
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if !d.word(`\u`) {
		return 0, errJSON
	}
	low, ok := d.hex()
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, errJSON
	}
	return r, nil
}

// hex reads four hexadecimal digits.
func (d *decoder) hex() (rune, bool) {
	var r rune
	for range 4 {
		c := d.peek()
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
		d.at++
	}
	return r, true
}
