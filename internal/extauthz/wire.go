package extauthz

import (
	"errors"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/postern-auth/postern/internal/authz"
)

// Wire types, as they stand in the low three bits of a tag.
const (
	varint  = uint64(protowire.VarintType)
	fixed64 = uint64(protowire.Fixed64Type)
	length  = uint64(protowire.BytesType)
)

// field is one field of a protobuf message. Its bytes alias the message.
type field struct {
	tag   uint64 // number<<3 | wire type
	bytes []byte // of a length-delimited field
	value uint64 // of a varint or fixed64 field
}

var (
	errWire = malformed("the message is not valid protobuf")
	errText = malformed("a string is not valid UTF-8")
)

// malformed makes the error for a request that cannot be what Envoy meant.
func malformed(text string) error {
	return authz.Fail(authz.ReasonMalformedRequest, errors.New(text))
}

// each calls f with every field of a message in wire order. What f does not know it ignores, a known number with an
// unexpected wire type included, as generated code does.
func each(message []byte, f func(field) error) error {
	for len(message) > 0 {
		next, n := consumeField(message)
		if n < 0 {
			return errWire
		}
		message = message[n:]
		if err := f(next); err != nil {
			return err
		}
	}
	return nil
}

// consumeField reads the first field of b; n is its length, negative if b does not begin with one.
func consumeField(b []byte) (f field, n int) {
	if len(b) > 1 && b[0] > 7 && b[0] < 0x80 && b[0]&7 == byte(length) && int(b[1]) < min(0x80, len(b)-1) {
		n = 2 + int(b[1]) // most fields: tag and length of one byte each
		return field{tag: uint64(b[0]), bytes: b[2:n]}, n
	}
	number, wireType, n := protowire.ConsumeTag(b)
	if n < 0 || number > protowire.MaxValidNumber {
		return f, -1
	}
	f.tag = protowire.EncodeTag(number, wireType)
	var m int
	switch wireType {
	case protowire.BytesType:
		f.bytes, m = protowire.ConsumeBytes(b[n:])
	case protowire.VarintType:
		f.value, m = protowire.ConsumeVarint(b[n:])
	case protowire.Fixed64Type:
		f.value, m = protowire.ConsumeFixed64(b[n:])
	default:
		m = protowire.ConsumeFieldValue(number, wireType, b[n:])
	}
	if m < 0 {
		return f, -1
	}
	return f, n + m
}

// setText sets dst to a protobuf string that aliases b.
func setText(dst *string, b []byte) error {
	if !utf8.Valid(b) {
		return errText
	}
	*dst = alias(b)
	return nil
}

// alias returns b as a string without copying it; it is valid as long as b is.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// textEntry reads an entry of a map<string, string>.
func textEntry(entry []byte) (key, value string, err error) {
	err = each(entry, func(f field) error {
		switch f.tag {
		case 1<<3 | length:
			return setText(&key, f.bytes)
		case 2<<3 | length:
			return setText(&value, f.bytes)
		}
		return nil
	})
	return key, value, err
}
