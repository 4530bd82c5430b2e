package signature

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// sigV4Kept is what stays as it is in canonical text, beside letters and digits.
const sigV4Kept = "-._~"

var errEscape = errors.New("the request target's percent-encoding is broken")

// base appends the string to sign, with the canonical request whole. The parts of it are delimited by line breaks, so
// none may hold one.
func (p *awsSigV4) base(r *authz.Request, c *claim, n int, buf []byte) (_ []byte, more bool, err error) {
	if !isText(r.Method) {
		return buf, false, errBytes
	}
	path, query, more := sigV4Reading(r, isS3(c), n)
	buf = append(append(buf, sigV4Name...), '\n')
	buf = append(append(buf, c.params...), '\n')
	buf = append(append(buf, r.Method...), '\n')
	if buf, err = appendSigV4Path(buf, r.Path, path); err != nil {
		return buf, false, err
	}
	buf = append(buf, '\n')
	if buf, err = appendSigV4Query(buf, r.Query, query); err != nil {
		return buf, false, err
	}
	buf = append(buf, '\n')
	if buf, err = p.appendFields(buf, r, c); err != nil {
		return buf, false, err
	}
	buf, err = appendPayload(buf, r, c)
	return buf, more, err
}

func isS3(c *claim) bool { return bytes.HasSuffix(c.params, []byte("/s3/"+sigV4Terminator)) }

func isPresignedS3(c *claim) bool { return slices.Contains(c.covered, presignedDate) && isS3(c) }

// sigV4Path is how a client made the canonical path of the one it sent.
type sigV4Path uint8

const (
	pathNormalized sigV4Path = iota // without dot segments and double slashes, then encoded again
	pathAgain                       // encoded again
	pathDecoded                     // S3: each segment decoded and encoded
	pathVerbatim                    // S3: as sent
)

// sigV4Query is how a client made the canonical query of the one it sent. It is sorted in any case.
type sigV4Query uint8

const (
	queryPlus     sigV4Query = iota // decoded and encoded, '+' being a plus
	querySpace                      // decoded and encoded, '+' being a space
	queryVerbatim                   // as sent
)

// The readings to try, in order. Those that could not differ from one before are left out.
var (
	onlyPath, bothPaths                 = []sigV4Path{pathNormalized}, []sigV4Path{pathNormalized, pathAgain}
	onlyS3Path, bothS3Paths             = []sigV4Path{pathDecoded}, []sigV4Path{pathDecoded, pathVerbatim}
	onlyQuery, bothQueries, plusQueries = []sigV4Query{queryPlus}, []sigV4Query{queryPlus, queryVerbatim}, []sigV4Query{queryPlus, querySpace, queryVerbatim}
)

// sigV4Reading returns the n-th reading of the target, of at most six.
func sigV4Reading(r *authz.Request, s3 bool, n int) (path sigV4Path, query sigV4Query, more bool) {
	paths, queries := onlyPath, onlyQuery
	switch {
	case s3 && isEncoded(r.Path, "/"):
		paths = onlyS3Path
	case s3:
		paths = bothS3Paths
	case strings.Contains(r.Path, "//") || strings.Contains(r.Path, "/."):
		paths = bothPaths
	}
	switch {
	case strings.Contains(r.Query, "+"):
		queries = plusQueries
	case !isEncodedQuery(r.Query):
		queries = bothQueries
	}
	return paths[n/len(queries)], queries[n%len(queries)], n+1 < len(paths)*len(queries)
}

func isEncodedQuery(query string) bool {
	for param := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(param, "=")
		if !isEncoded(name, "") || !isEncoded(value, "") {
			return false
		}
	}
	return true
}

// isEncoded reports whether decoding and encoding s would give s again, the bytes of apart being left alone.
func isEncoded(s, apart string) bool {
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' && i+2 < len(s) && strings.IndexByte(upperHex, s[i+1]) >= 0 && strings.IndexByte(upperHex, s[i+2]) >= 0 {
			c, escaped = unhex(s[i+1])<<4|unhex(s[i+2]), true
			i += 2
		}
		if plain := isAlnum(c) || strings.IndexByte(sigV4Kept, c) >= 0 || !escaped && strings.IndexByte(apart, c) >= 0; plain == escaped {
			return false
		}
	}
	return true
}

func appendSigV4Path(buf []byte, path string, as sigV4Path) (_ []byte, err error) {
	if path == "" {
		path = "/"
	}
	switch {
	case as == pathVerbatim && !isText(path):
		return buf, errBytes
	case as == pathVerbatim:
		return append(buf, path...), nil
	case as == pathDecoded:
		return appendSegments(buf, path)
	case as == pathNormalized:
		path = normalizeSigV4Path(path)
	}
	for i := range len(path) {
		buf = appendEscaped(buf, path[i], sigV4Kept+"/")
	}
	return buf, nil
}

// appendSegments encodes each segment anew, so that an encoded slash does not become one that parts segments.
func appendSegments(buf []byte, path string) (_ []byte, err error) {
	for more := true; more; {
		var segment string
		segment, path, more = strings.Cut(path, "/")
		if buf, err = appendDecoded(buf, segment, '+'); err != nil {
			return buf, err
		}
		if more {
			buf = append(buf, '/')
		}
	}
	return buf, nil
}

func appendDecoded(buf []byte, s string, plus byte) ([]byte, error) {
	buf, ok := appendReencoded(buf, s, sigV4Kept, plus)
	if !ok {
		return buf, errEscape
	}
	return buf, nil
}

// normalizeSigV4Path drops dot segments and empty ones. A slash at the end stays, if anything stands before it.
func normalizeSigV4Path(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	normal := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && strings.HasSuffix(path, "/") {
		normal += "/"
	}
	return normal
}

// sigV4Param is where a parameter stands in the base: its name, '=' and its value.
type sigV4Param struct{ from, equals, to int }

// appendSigV4Query appends the parameters, but for the signature, in the order of their names and then of their values.
func appendSigV4Query(buf []byte, query string, as sigV4Query) (_ []byte, err error) {
	var room [16]sigV4Param
	params, start := room[:0], len(buf)
	for rest := query; rest != ""; {
		var text string
		text, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(text, "=")
		if text == "" || name == "X-Amz-Signature" {
			continue
		}
		if len(params) == maxParameters {
			return buf, errQueryLong
		}
		at := sigV4Param{from: len(buf)}
		if buf, err = appendSigV4Text(buf, name, as); err != nil {
			return buf, err
		}
		at.equals = len(buf)
		if buf, err = appendSigV4Text(append(buf, '='), value, as); err != nil {
			return buf, err
		}
		at.to = len(buf)
		params, buf = append(params, at), append(buf, '&')
	}
	if len(params) == 0 {
		return buf, nil
	}
	inOrder := func(a, b sigV4Param) int {
		return cmp.Or(bytes.Compare(buf[a.from:a.equals], buf[b.from:b.equals]), bytes.Compare(buf[a.equals:a.to], buf[b.equals:b.to]))
	}
	if !slices.IsSortedFunc(params, inOrder) {
		slices.SortFunc(params, inOrder)
		unsorted := slices.Clone(buf[start:])
		buf = buf[:start]
		for _, at := range params {
			buf = append(append(buf, unsorted[at.from-start:at.to-start]...), '&')
		}
	}
	return buf[:len(buf)-len("&")], nil
}

func appendSigV4Text(buf []byte, s string, as sigV4Query) ([]byte, error) {
	switch {
	case as == querySpace:
		return appendDecoded(buf, s, ' ')
	case as == queryPlus:
		return appendDecoded(buf, s, '+')
	case isText(s):
		return append(buf, s...), nil
	default:
		return buf, errBytes
	}
}

// appendFields appends the signed fields, an empty line, and the list of their names.
func (p *awsSigV4) appendFields(buf []byte, r *authz.Request, c *claim) (_ []byte, err error) {
	for i := range c.covered {
		name := c.covered[i].name
		if c.covered[i].flags != 0 {
			continue
		}
		buf = append(append(buf, name...), ':')
		if buf, err = p.appendField(buf, r, name); err != nil {
			return buf, fmt.Errorf("%s: %w", name, err)
		}
		buf = append(buf, '\n')
	}
	buf = append(buf, '\n')
	for i := range c.covered {
		if c.covered[i].flags == 0 {
			buf = append(append(buf, c.covered[i].name...), ';')
		}
	}
	buf[len(buf)-len(";")] = '\n'
	return buf, nil
}

// appendField appends the value of a field: its lines trimmed, with runs of blanks as one space, and a comma between.
func (p *awsSigV4) appendField(buf []byte, r *authz.Request, name string) ([]byte, error) {
	if name == "host" || name == ":authority" {
		host := p.authority
		if host == "" {
			host = r.Host
		}
		if !isText(host) || strings.ContainsAny(host, " \t,") {
			return buf, errAuthority
		}
		return append(buf, host...), nil
	}
	start := len(buf)
	for i := range r.Headers {
		if r.Headers[i].Name == name {
			buf = append(appendCollapsed(buf, r.Headers[i].Value), ',')
		}
	}
	switch {
	case len(buf) == start:
		return buf, errAbsent
	case !isText(buf[start:]):
		return buf, errBytes
	}
	return buf[:len(buf)-len(",")], nil
}

func appendCollapsed(buf []byte, value string) []byte {
	value = trim(value)
	for i := range len(value) {
		switch blank := value[i] == ' ' || value[i] == '\t'; {
		case !blank:
			buf = append(buf, value[i])
		case value[i-1] != ' ' && value[i-1] != '\t':
			buf = append(buf, ' ')
		}
	}
	return buf
}

// appendPayload appends the payload's hash: the one that the request states, or the one that the body has.
func appendPayload(buf []byte, r *authz.Request, c *claim) ([]byte, error) {
	if hash, n := statedPayload(r); n > 0 {
		return append(buf, hash...), nil
	}
	if isPresignedS3(c) {
		return append(buf, unsignedPayload...), nil
	}
	body, err := wholeBody(r)
	if err != nil {
		return buf, err
	}
	return hex.AppendEncode(buf, sum256(body)), nil
}
