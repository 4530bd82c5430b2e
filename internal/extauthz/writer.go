package extauthz

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxHeaderValue is the longest value Postern gives a header, in bytes.
const maxHeaderValue = 4 << 10

// writer appends protobuf fields. Its first error sticks; what was written must then not be sent.
//
// Strings must be valid UTF-8: Envoy refuses a whole CheckResponse over one that is not, which counts as an error of
// ours and, with failure_mode_allow, as an allow.
type writer struct {
	b   []byte
	err error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Every field of a CheckResponse that is written has a number below 16, so that its tag is one byte.

func (w *writer) number(field byte, v uint64) {
	w.b = append(w.b, field<<3|byte(varint))
	w.b = protowire.AppendVarint(w.b, v)
}

func (w *writer) text(field byte, s string) {
	if !utf8.ValidString(s) {
		w.fail(fmt.Errorf("a string of %d bytes is not valid UTF-8", len(s)))
	}
	w.ascii(field, s)
}

// ascii is text for what is known to be ASCII.
func (w *writer) ascii(field byte, s string) {
	w.b = append(w.b, field<<3|byte(length))
	if len(s) < 0x80 {
		w.b = append(w.b, byte(len(s)))
	} else {
		w.b = protowire.AppendVarint(w.b, uint64(len(s)))
	}
	w.b = append(w.b, s...)
}

// lengthBytes is how much room open leaves for a length: a varint may be padded, and four bytes hold 256 MiB.
const lengthBytes = 4

// open begins a length-delimited field; close, given what open returned, ends it. All that is written between them
// is its content, which therefore needs no measuring beforehand.
func (w *writer) open(field byte) (start int) {
	w.b = append(w.b, field<<3|byte(length), 0x80, 0x80, 0x80, 0)
	return len(w.b)
}

func (w *writer) close(start int) {
	n := len(w.b) - start
	at := w.b[start-lengthBytes : start]
	at[0] |= byte(n) & 0x7f
	at[1] |= byte(n>>7) & 0x7f
	at[2] |= byte(n>>14) & 0x7f
	at[3] |= byte(n>>21) & 0x7f
}

// overwrite is HeaderValueOption's OVERWRITE_IF_EXISTS_OR_ADD.
const overwrite = 2

// setHeader writes a HeaderValueOption that replaces whatever there is of that name. The deprecated append is set to
// false as well: versions of Envoy differ in which of the two they obey.
func (w *writer) setHeader(field byte, name, value string) {
	option := w.open(field)
	w.headerValue(name, value)
	w.text(2, "") // append: a BoolValue of false, which has no bytes
	w.number(3, overwrite)
	w.close(option)
}

// addHeader writes a HeaderValueOption for one more field of its name. It leaves append_action at its default,
// APPEND_IF_EXISTS_OR_ADD, and append unset: Envoy drops or comma-joins what has append set to true.
func (w *writer) addHeader(field byte, name, value string) {
	option := w.open(field)
	w.headerValue(name, value)
	w.close(option)
}

func (w *writer) headerValue(name, value string) {
	if _, ok := lowerToken(name); !ok {
		w.fail(fmt.Errorf("a header name of %d bytes is not a token", len(name)))
	}
	switch flaw := headerFlaw(value); {
	case flaw != "":
		w.fail(fmt.Errorf("the value for header %q %s", name, flaw))
	case len(value) > maxHeaderValue && name != "cookie": // what is left of the client's own is as long as it made it
		w.fail(fmt.Errorf("the value for header %q is longer than 4 KiB", name))
	}
	header := w.open(1)
	w.ascii(1, name)
	w.text(2, value)
	w.close(header)
}

// headerFlaw says what keeps a value from arriving upstream exactly as it is, "" if nothing does. Control
// characters (of C1 as well, line ends to some readers) could end the field; space around it would be taken away, and
// " admin" become admin. Other non-ASCII text passes, as UTF-8.
func headerFlaw(v string) string {
	if v != "" && (isSpace(v[0]) || isSpace(v[len(v)-1])) {
		return "begins or ends with a space"
	}
	for _, c := range v {
		if c < ' ' && c != '\t' || 0x7f <= c && c < 0xa0 {
			return "holds a control character"
		}
	}
	return ""
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }
