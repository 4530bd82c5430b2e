package authz

import (
	"errors"
	"net/netip"
	"strings"
)

// Route is what a request is matched by: its host and path in the one form that policies are compiled to.
type Route struct {
	Host string // lower case, without port and final dot
	Path string // unreserved characters decoded, everything else as sent

	// Loose is the path as a lenient server reads it: all decoded, and ";params" dropped from each segment. It is
	// empty where that is the same as Path. A request whose two readings match different rules is ambiguous.
	Loose string
}

var (
	errMethod     = errors.New("the method is not a token")
	errHost       = errors.New("the host is not one host name or address")
	errTarget     = errors.New("the target is not a path: it must begin with '/'")
	errTargetByte = errors.New("the target holds a control byte, a space, a backslash, a '#' or a raw non-ASCII byte")
	errEncoded    = errors.New("the path's percent-encoding is broken")
	errSeparator  = errors.New("the path holds an encoded slash, backslash, control byte or percent sign")
	errOverlong   = errors.New("the path holds an overlong UTF-8 sequence")
	errSegment    = errors.New("the path holds an empty segment or a dot segment")
)

// Canonicalize checks the request's method, host and target and sets r.Route. It returns a Failure of class
// ClassBadRequest for what can be read in two ways, since the upstream might read it in the other.
func (r *Request) Canonicalize() error {
	if !IsToken(r.Method) {
		return Fail(ReasonMalformedRequest, errMethod)
	}
	host, err := CanonicalHost(r.Host)
	if err != nil {
		return Fail(ReasonAmbiguousHost, err)
	}
	path, err := CanonicalPath(r.Path)
	if err == nil && r.Path == "" && r.Method == "CONNECT" {
		err = errTarget // a tunnel has no path, and no path rule can see what passes through it
	}
	if err != nil {
		return Fail(ReasonAmbiguousPath, err)
	}
	for i := range len(r.Query) {
		if c := r.Query[i]; c <= ' ' || c == 0x7f || c == '#' {
			return Fail(ReasonAmbiguousPath, errTargetByte)
		}
	}
	r.Route = Route{Host: host, Path: path}
	if loose := LoosePath(path); loose != path {
		r.Route.Loose = loose
	}
	return nil
}

// IsToken reports whether s is a token (RFC 9110 section 5.6.2): a method, or the name of a header field.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// CanonicalHost returns the host without case, port and final dot, an IPv6 address in brackets in its shortest form.
// It accepts what can be one host name or address and nothing else. A host in canonical form is returned as it is.
func CanonicalHost(host string) (string, error) {
	if len(host) > 0 && host[0] == '[' {
		return canonicalIPv6(host)
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !isPort(host[i+1:]) {
			return "", errHost
		}
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return "", errHost
	}
	upper, label := false, 0
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if label == 0 {
				return "", errHost
			}
			label = 0
			continue
		case 'A' <= c && c <= 'Z':
			upper = true
		case !isAlnum(c) && c != '-' && c != '_':
			return "", errHost
		}
		if label++; label > 63 {
			return "", errHost
		}
	}
	if label == 0 {
		return "", errHost
	}
	if upper {
		host = strings.ToLower(host)
	}
	return host, nil
}

func canonicalIPv6(host string) (string, error) {
	end := strings.IndexByte(host, ']')
	if end < 0 {
		return "", errHost
	}
	if rest := host[end+1:]; rest != "" && (rest[0] != ':' || !isPort(rest[1:])) {
		return "", errHost
	}
	addr, err := netip.ParseAddr(host[1:end])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", errHost
	}
	return "[" + addr.String() + "]", nil
}

func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 5
}

// CanonicalPath returns the path with unreserved characters (RFC 3986 section 2.3) decoded and hexadecimal digits of
// what stays encoded in upper case. The empty path is "/". It refuses what servers are known to read differently:
// encoded or raw backslashes, encoded slashes, control bytes and percent signs before two digits, dot segments (with
// ";params" too), empty segments, fragments, raw non-ASCII, and targets that are no path: "*", absolute form and
// CONNECT's authority. A path in canonical form is returned as it is.
func CanonicalPath(path string) (string, error) {
	if path == "" {
		return "/", nil
	}
	if path[0] != '/' {
		return "", errTarget
	}
	var err error
	if strings.IndexByte(path, '%') >= 0 {
		if path, err = decodeUnreserved(path); err != nil {
			return "", err
		}
	}
	segment := 1
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			if c := path[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '\\' || c == '?' {
				return "", errTargetByte
			}
			continue
		}
		name := segmentName(path[segment:i])
		if name == "." || name == ".." || name == "" && (i < len(path) || segment < i) {
			return "", errSegment
		}
		segment = i + 1
	}
	return path, nil
}

// segmentName returns the segment without ";params". An encoded semicolon counts as well, since the next proxy may
// decode it before a server cuts there.
func segmentName(segment string) string {
	segment, _, _ = strings.Cut(segment, ";")
	segment, _, _ = strings.Cut(segment, "%3B")
	return segment
}

// decodeUnreserved decodes %XX of unreserved characters and refuses those that hide structure.
func decodeUnreserved(path string) (string, error) {
	b := make([]byte, 0, len(path))
	var previous byte // the encoded byte just before, if there was one
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b = append(b, path[i])
			previous = 0
			continue
		}
		c, ok := unhex(path, i)
		if !ok {
			return "", errEncoded
		}
		switch {
		case isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~':
			b = append(b, c)
		case c == '/' || c == '\\' || c < ' ' || c == 0x7f:
			return "", errSeparator
		case overlong(previous, c):
			return "", errOverlong
		default:
			const digits = "0123456789ABCDEF"
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
		previous = c
		i += 2
	}
	out := string(b)
	for i := 0; ; i += len("%25") {
		next := strings.Index(out[i:], "%25")
		if next < 0 {
			return out, nil
		}
		if i += next; i+4 < len(out) && isHex(out[i+3]) && isHex(out[i+4]) {
			return "", errSeparator // encoded twice: a server that decodes twice sees something else
		}
	}
}

// overlong reports whether a byte, with the one before, belongs to an overlong UTF-8 sequence: %C0%AF, which careless
// decoders read as a slash.
func overlong(previous, c byte) bool {
	return c == 0xC0 || c == 0xC1 || previous == 0xE0 && c < 0xA0 || previous == 0xF0 && c < 0x90
}

// LoosePath returns how a lenient server reads a canonical path: everything decoded, and what follows a ';', encoded
// or not, in a segment dropped.
func LoosePath(path string) string {
	if strings.IndexByte(path, '%') < 0 && strings.IndexByte(path, ';') < 0 {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if d, ok := unhex(path, i); ok && c == '%' {
			c = d
			i += 2
		}
		if c != ';' {
			b = append(b, c)
			continue
		}
		for i+1 < len(path) && path[i+1] != '/' {
			i++
		}
	}
	return string(b)
}

// unhex returns the byte that the %XX at path[i] encodes.
func unhex(path string, i int) (byte, bool) {
	if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
		return 0, false
	}
	return hexValue(path[i+1])<<4 | hexValue(path[i+2]), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
