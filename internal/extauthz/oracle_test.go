package extauthz

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/postern-auth/postern/internal/authz"
)

// read is the part of CheckRequest that decode reads: numbers of fields, and of those below them.
type read map[protowire.Number]read

var (
	peerFields     = read{1: {1: {2: nil, 3: nil}, 2: {1: nil}}, 4: nil, 5: nil}
	metadataFields = read{1: nil}
	httpFields     = read{1: nil, 2: nil, 3: nil, 4: nil, 5: nil, 6: nil, 7: nil, 8: nil, 9: nil, 10: nil, 11: nil, 12: nil, 13: nil}
	requestFields  = read{1: {1: peerFields, 2: peerFields, 4: {2: httpFields}, 10: nil, 12: nil, 13: metadataFields}}
)

// trim returns the message without the fields that nobody reads, so that what is wrong in them does not count. From where
// the message breaks off it is kept as it is.
func trim(fields read, message []byte) []byte {
	var out []byte
	for len(message) > 0 {
		f, n := consumeField(message)
		if n < 0 {
			return append(out, message...)
		}
		number, wireType := protowire.DecodeTag(f.tag)
		below, known := fields[number]
		switch {
		case known && below != nil && wireType == protowire.BytesType:
			out = protowire.AppendTag(out, number, wireType)
			out = protowire.AppendBytes(out, trim(below, f.bytes))
		case known:
			out = append(out, message[:n]...)
		}
		message = message[n:]
	}
	return out
}

var errOracle = errors.New("to be refused")

// expected is what decode should make of a message, written down from generated types and the package comment.
func expected(m *authv3.CheckRequest) (*authz.Request, error) {
	a := m.GetAttributes()
	h := a.GetRequest().GetHttp()
	r := &authz.Request{
		ID: h.GetId(), Method: h.GetMethod(), Scheme: h.GetScheme(), Host: h.GetHost(), Protocol: h.GetProtocol(),
		Source: expectedPeer(a.GetSource()), Destination: expectedPeer(a.GetDestination()), SNI: a.GetTlsSession().GetSni(),
		Body: authz.Body{Bytes: []byte(h.GetBody() + string(h.GetRawBody()))},
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(h.GetPath(), "?")
	raw := h.GetHeaderMap().GetHeaders()
	r.RawHeaders = len(raw) > 0
	switch {
	case h.GetBody() != "" && len(h.GetRawBody()) > 0, h.GetQuery()+h.GetFragment() != "", len(h.GetHeaders()) > 0 && len(raw) > 0,
		len(h.GetHeaders())+len(raw) > MaxHeaders, len(a.GetContextExtensions()) > 64:
		return nil, errOracle
	}
	size := 0
	seen := map[string]string{}
	add := func(name, value string) error {
		if size += len(name) + len(value); size > MaxHeaderBytes {
			return errOracle
		}
		repeats := map[string]string{
			":method": h.GetMethod(), ":path": h.GetPath(), ":scheme": h.GetScheme(), ":authority": h.GetHost(),
		}
		if want, ok := repeats[name]; ok && value != want {
			return errOracle
		}
		if strings.HasPrefix(name, ":") {
			return nil
		}
		const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		odd := func(c rune) bool { return !strings.ContainsRune(token, c) }
		if name == "" || strings.ContainsFunc(name, odd) || strings.ContainsAny(value, "\r\n\x00") {
			return errOracle
		}
		name = strings.ToLower(name)
		value = strings.Trim(value, " \t")
		if name == "host" {
			if value != h.GetHost() {
				return errOracle
			}
			return nil
		}
		seen[name] = value
		r.Headers = append(r.Headers, authz.Header{Name: name, Value: value})
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(h.GetHeaders())) {
		if err := add(name, h.GetHeaders()[name]); err != nil {
			return nil, err
		}
	}
	for _, v := range raw {
		value := v.GetValue()
		if value == "" {
			value = string(v.GetRawValue())
		} else if len(v.GetRawValue()) > 0 && value != string(v.GetRawValue()) {
			return nil, errOracle
		}
		if err := add(v.GetKey(), value); err != nil {
			return nil, err
		}
	}
	if _, n := r.Header("x-request-id"); n == 1 {
		r.ID = seen["x-request-id"]
	}
	for name, value := range a.GetContextExtensions() {
		r.ContextExtensions = append(r.ContextExtensions, authz.Field{Name: name, Value: value})
	}
	values := 0
	for name, s := range a.GetRouteMetadataContext().GetFilterMetadata() {
		if err := flatten(&r.RouteMetadata, &values, name+"\x00", structpb.NewStructValue(s), 0); err != nil {
			return nil, err
		}
	}
	values -= len(a.GetRouteMetadataContext().GetFilterMetadata())
	names := map[string]bool{}
	for _, f := range r.RouteMetadata {
		if names[f.Name] {
			return nil, errOracle
		}
		names[f.Name] = true
	}
	if values > maxMetadataValues {
		return nil, errOracle
	}
	return r, r.SettleBody(h.GetSize())
}

func expectedPeer(p *peerAttributes) authz.Peer {
	s := p.GetAddress().GetSocketAddress()
	return authz.Peer{
		Address: s.GetAddress() + p.GetAddress().GetPipe().GetPath(), Port: s.GetPortValue(),
		Principal: p.GetPrincipal(), Certificate: p.GetCertificate(),
	}
}

// flatten names everything below v. A name that ends in NUL or "." is the prefix for a struct's fields.
func flatten(out *[]authz.Field, values *int, name string, v *structpb.Value, depth int) error {
	*values++
	if depth > maxMetadataDepth {
		return errOracle
	}
	add := func(text string) error {
		*out = append(*out, authz.Field{Name: name, Value: text})
		return nil
	}
	switch k := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		return add(strconv.FormatFloat(k.NumberValue, 'g', -1, 64))
	case *structpb.Value_StringValue:
		return add(k.StringValue)
	case *structpb.Value_BoolValue:
		return add(fmt.Sprint(k.BoolValue))
	case *structpb.Value_StructValue:
		if depth >= maxMetadataDepth {
			return errOracle
		}
		if !strings.HasSuffix(name, "\x00") || depth > 0 {
			name += "."
		}
		for field, value := range k.StructValue.GetFields() {
			if err := flatten(out, values, name+field, value, depth+1); err != nil {
				return err
			}
		}
	case *structpb.Value_ListValue:
		if depth >= maxMetadataDepth {
			return errOracle
		}
		for i, value := range k.ListValue.GetValues() {
			if err := flatten(out, values, fmt.Sprint(name, ".", i), value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// sorted puts the parts of a Request that come from maps in order.
func sorted(r *authz.Request) *authz.Request {
	byText := func(a, b authz.Field) int { return strings.Compare(a.Name+"\x00"+a.Value, b.Name+"\x00"+b.Value) }
	c := *r
	if !c.RawHeaders {
		c.Headers = slices.SortedFunc(slices.Values(c.Headers), byText)
	}
	c.ContextExtensions = slices.SortedFunc(slices.Values(c.ContextExtensions), byText)
	c.RouteMetadata = slices.SortedFunc(slices.Values(c.RouteMetadata), byText)
	if len(c.Body.Bytes) == 0 {
		c.Body.Bytes = nil
	}
	return &c
}
