package authz

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Request is one request as Envoy described it, decoded once and read only afterwards.
// Its strings alias the receive buffer: clone what must outlive the check.
type Request struct {
	ID       string // Envoy's x-request-id
	Method   string // as sent, upper case in practice
	Scheme   string // what Envoy believes; the client may have chosen it
	Host     string // as sent: case, port and final dot kept
	Path     string // as sent, undecoded, up to the first '?'
	Query    string // as sent, after the first '?'
	HasQuery bool   // tells "/p?" from "/p"
	Protocol string // "HTTP/1.1", "HTTP/2", …

	Headers    []Header // names in lower case, in wire order; pseudo-headers are not in it
	RawHeaders bool     // repeated fields stand apart with their bytes intact (Envoy's encode_raw_headers)
	Body       Body

	Source      Peer
	Destination Peer
	SNI         string

	ContextExtensions []Field // the route's context_extensions
	RouteMetadata     []Field // the route's metadata, flattened: "namespace" + "\x00" + "path.of.value"

	Now      time.Time // the one clock reading that this check uses
	Deadline time.Time // when an answer must be on its way; zero: none

	Route Route // the canonical forms; set by Canonicalize
}

// Field is a name and its value.
type Field struct{ Name, Value string }

// Header is one header field. A repeated field is several Headers when [Request.RawHeaders], else one, comma-joined.
type Header = Field

// Peer is one end of the connection that Envoy accepted.
type Peer struct {
	Address     string // IP address, or a path for a Unix socket
	Port        uint32
	Principal   string // the authenticated identity: a SPIFFE URI, DNS name or subject
	Certificate string // URL-encoded PEM
}

// BodyState says how much of the request's body Envoy handed over.
type BodyState uint8

// The states of a body.
const (
	BodyNone     BodyState = iota // the request has no body
	BodyWhole                     // Body.Bytes is all of it
	BodyPartial                   // Body.Bytes is only its beginning
	BodyWithheld                  // the request has a body, and Envoy was not configured to send it
	BodyUnknown                   // none was sent, and nothing says whether the request has one
)

// Body is the request's body, as the client encoded it.
type Body struct {
	Bytes []byte
	State BodyState
}

// Header returns the first value of the field and how often it occurs. The name must be in lower case.
func (r *Request) Header(name string) (value string, count int) {
	for i := range r.Headers {
		if r.Headers[i].Name == name {
			if count == 0 {
				value = r.Headers[i].Value
			}
			count++
		}
	}
	return value, count
}

// ContextExtension returns the named value of the route's context_extensions, or "".
func (r *Request) ContextExtension(name string) string {
	for i := range r.ContextExtensions {
		if r.ContextExtensions[i].Name == name {
			return r.ContextExtensions[i].Value
		}
	}
	return ""
}

// IsGRPC reports whether the caller speaks gRPC and so expects a grpc-status.
func (r *Request) IsGRPC() bool {
	ct, _ := r.Header("content-type")
	rest, ok := strings.CutPrefix(ct, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// Reset empties r for reuse and keeps its slices' memory.
func (r *Request) Reset() {
	clear(r.Headers)
	clear(r.ContextExtensions)
	clear(r.RouteMetadata)
	*r = Request{
		Headers:           r.Headers[:0],
		ContextExtensions: r.ContextExtensions[:0],
		RouteMetadata:     r.RouteMetadata[:0],
	}
}

// errLength is why a Content-Length cannot be used.
var errLength = errors.New("content-length is not one decimal number")

// SettleBody decides Body.State from what Envoy handed over. size is Envoy's own count of the body, -1 when unknown.
//
// Envoy marks a cut body with x-envoy-auth-partial-body: true. "true" is believed, for believing it only refuses
// more; any other value, or its absence, proves nothing, since a client can send the header where Envoy buffers
// nothing. So a body is whole only when the lengths agree.
func (r *Request) SettleBody(size int64) error {
	got := int64(len(r.Body.Bytes))
	for i := range r.Headers {
		if r.Headers[i].Name == "x-envoy-auth-partial-body" && strings.Contains(r.Headers[i].Value, "true") {
			r.Body.State = BodyPartial
			return nil
		}
	}
	if v, n := r.Header("content-length"); n > 0 {
		want, err := strconv.ParseUint(v, 10, 63)
		if err != nil || n > 1 {
			r.Body.State = BodyUnknown
			return errLength
		}
		switch {
		case want == 0 && got == 0:
			r.Body.State = BodyNone
		case int64(want) == got:
			r.Body.State = BodyWhole
		case got == 0:
			r.Body.State = BodyWithheld
		default:
			r.Body.State = BodyPartial
		}
		return nil
	}
	switch {
	case got > 0 && size > got:
		r.Body.State = BodyPartial
	case got > 0:
		r.Body.State = BodyWhole
	case size > 0:
		r.Body.State = BodyWithheld
	case r.Method == "GET" || r.Method == "HEAD" || r.Method == "OPTIONS" || r.Method == "TRACE":
		// Content on these has no defined meaning (RFC 9110 section 9.3.1), and nothing announces it here.
		r.Body.State = BodyNone
	default:
		r.Body.State = BodyUnknown
	}
	return nil
}
