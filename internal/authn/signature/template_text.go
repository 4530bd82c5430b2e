package signature

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// templateText is a compiled template.text.
type templateText []piece

// piece is literal text or, with a placeholder, a part of the request.
type piece struct {
	literal string
	name    string // as it is written: {header:x-env}
	header  string // where the value stands, for those that stand in a header
	*placeholder
}

// placeholder is a part of the request that a text can name.
type placeholder struct {
	insert func(o origin, r *authz.Request, header string, buf []byte) ([]byte, error)
	covers []string // in the words of cover
	form   form
	rooted bool   // its value begins with '/'
	never  string // bytes that its value does not hold; a request in which it does is refused
	binary bool   // its value may hold anything; all others are printable ASCII and tabs
}

// form says how a value can be told from what stands beside it.
type form uint8

const (
	formFree   form = iota // only by what stands beside it
	formClosed             // by itself: no value begins or ends with another
	formDigest             // by itself, and nobody can choose it
)

// placeholders holds every placeholder. Those of the template's own headers stand for whatever header it names.
var placeholders = map[string]*placeholder{
	"method":          {insert: insertMethod, covers: []string{"method"}, never: "/"},
	"method_lower":    {insert: insertMethodLower, covers: []string{"method"}, never: "/"},
	"scheme":          {insert: insertScheme, never: "/"},
	"host":            {insert: insertHost, covers: []string{"host"}, never: " ,/"},
	"path":            {insert: insertPath, covers: []string{"path"}, rooted: true},
	"query":           {insert: insertQuery, covers: []string{"query"}},
	"query_sorted":    {insert: insertQuerySorted, covers: []string{"query"}},
	"target":          {insert: insertTarget, covers: []string{"path", "query"}, rooted: true},
	"body":            {insert: insertBody, covers: []string{"body"}, binary: true},
	"body_sha256_hex": {insert: insertBodySHA256Hex, covers: []string{"body"}, form: formDigest},
	"body_sha256_b64": {insert: insertBodySHA256Base64, covers: []string{"body"}, form: formDigest},
	"body_md5_b64":    {insert: insertBodyMD5, form: formClosed},
	"header":          {insert: insertField},
	"timestamp":       {insert: insertField, covers: []string{"timestamp"}, form: formClosed},
	"nonce":           {insert: insertField, covers: []string{"nonce"}},
	"key_id":          {insert: insertField},
}

// compileText compiles the text of a template. Its errors say what to write instead.
func compileText(t *v1alpha1.SignatureTemplate) (templateText, error) {
	var (
		out     templateText
		literal []byte
	)
	endLiteral := func() {
		if len(literal) > 0 {
			out = append(out, piece{literal: string(literal)})
			literal = nil
		}
	}
	for rest := t.Text; rest != ""; {
		n := strings.IndexAny(rest, `{}\`)
		if n < 0 {
			n = len(rest)
		}
		literal, rest = append(literal, rest[:n]...), rest[n:]
		switch {
		case rest == "":
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"), strings.HasPrefix(rest, `\\`):
			literal, rest = append(literal, rest[0]), rest[2:]
		case strings.HasPrefix(rest, `\n`):
			literal, rest = append(literal, '\n'), rest[2:]
		case strings.HasPrefix(rest, `\t`):
			literal, rest = append(literal, '\t'), rest[2:]
		case rest[0] == '\\':
			return nil, errors.New(`a \ stands alone; write \n, \t or \\`)
		case rest[0] == '}':
			return nil, errors.New("a } stands alone; write }} for a brace")
		default:
			name, after, found := strings.Cut(rest[1:], "}")
			if !found {
				return nil, errors.New("a { is not closed; write }, or {{ for a brace")
			}
			p, err := newPiece(name, t)
			if err != nil {
				return nil, err
			}
			endLiteral()
			out, rest = append(out, p), after
		}
	}
	endLiteral()
	return out, out.checkBoundaries()
}

// newPiece makes what stands between braces.
func newPiece(written string, t *v1alpha1.SignatureTemplate) (piece, error) {
	name, arg, hasArg := strings.Cut(written, ":")
	p := piece{name: "{" + written + "}", placeholder: placeholders[name]}
	if p.placeholder == nil || hasArg != (name == "header") {
		known := slices.Sorted(maps.Keys(placeholders))
		all := strings.ReplaceAll("{"+strings.Join(known, "}, {")+"}", "{header}", "{header:NAME}")
		return p, fmt.Errorf("%s is not a placeholder; use %s, or {{ for a brace", p.name, all)
	}
	switch {
	case name == "header":
		p.header = strings.ToLower(arg)
		if !isFieldName(p.header) {
			return p, fmt.Errorf("%s does not name a header; write such as {header:X-Env}", p.name)
		}
		if strings.EqualFold(arg, t.Signature.Header) {
			return p, fmt.Errorf("%s is the signature itself; leave it out", p.name)
		}
		if p.header == "host" {
			p.placeholder = placeholders["host"]
		}
	case name == "timestamp" && t.Timestamp != nil:
		p.header = strings.ToLower(t.Timestamp.Header)
	case name == "nonce" && t.Nonce != nil:
		p.header = strings.ToLower(t.Nonce.Header)
	case name == "key_id" && t.KeyID != nil:
		p.header = strings.ToLower(t.KeyID.Header)
	case name == "timestamp":
		return p, errors.New("{timestamp} stands for no header; set template.timestamp: {header: X-Timestamp, unit: s}")
	case name == "nonce":
		return p, errors.New("{nonce} stands for no header; set template.nonce: {header: X-Nonce}")
	case name == "key_id":
		return p, errors.New("{key_id} stands for no header; set template.keyId: {header: X-Key-Id}")
	}
	return p, nil
}

// checkBoundaries refuses placeholders side by side where bytes could be moved from one value to the other without
// changing what is signed: {query}{nonce}. It is certain where one value ends and the next begins if the first says so
// itself, if the second is a digest, which nobody can choose, or can be found from the end of the text, or if the
// second is a path, which begins with a byte that the first never holds.
func (t templateText) checkBoundaries() error {
	fromEnd := true // whatever stands after t[i+1] can be cut off from the end
	for i := len(t) - 2; i >= 0; i-- {
		a, b := t[i].placeholder, t[i+1].placeholder
		certain := a == nil || b == nil || a.form != formFree || b.form == formDigest || b.form == formClosed && fromEnd ||
			b.rooted && strings.Contains(a.never, "/")
		if !certain {
			return fmt.Errorf(`nothing tells where the value of %s ends and that of %s begins; write a separator such as \n between them`,
				t[i].name, t[i+1].name)
		}
		fromEnd = fromEnd && (b == nil || b.form != formFree)
	}
	return nil
}

// covers reports whether every signature covers what cover calls by that name.
func (t templateText) covers(name string) bool {
	return slices.ContainsFunc(t, func(p piece) bool {
		return p.placeholder != nil && slices.Contains(p.covers, name)
	})
}

// append appends the text, each placeholder replaced by its value, to buf. Values are not looked at for placeholders.
func (t templateText) append(o origin, r *authz.Request, buf []byte) ([]byte, error) {
	for i := range t {
		p := &t[i]
		if p.placeholder == nil {
			buf = append(buf, p.literal...)
			continue
		}
		start := len(buf)
		var err error
		if buf, err = p.insert(o, r, p.header, buf); err == nil {
			err = p.check(buf[start:])
		}
		if err != nil {
			return buf, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return buf, nil
}

func (p *placeholder) check(value []byte) error {
	switch {
	case p.binary:
		return nil
	case !isText(value):
		return errBytes
	case bytes.ContainsAny(value, p.never):
		return errForeign
	default:
		return nil
	}
}

var (
	errForeign      = errors.New("its value holds a byte that such a value cannot hold")
	errQueryLong    = errors.New("the query has more than 1000 parameters")
	errCoveredTwice = fail(authz.ReasonAmbiguousCredential, "the field that is covered occurs more than once")
)

func insertMethod(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	return append(buf, r.Method...), nil
}

func insertMethodLower(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	return append(buf, strings.ToLower(r.Method)...), nil
}

func insertScheme(o origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	return o.appendScheme(buf, r)
}

// insertHost inserts the host as the client wrote it, with its port if it named one.
func insertHost(o origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	host := cmp.Or(o.authority, r.Host)
	if host == "" {
		return buf, errAuthority
	}
	return append(buf, host...), nil
}

func insertPath(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	return appendPath(buf, r)
}

func insertTarget(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	return appendTarget(buf, r)
}

func insertQuery(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	return append(buf, r.Query...), nil
}

// insertQuerySorted inserts the query's parameters in the order of their names and then of their values. Nothing is
// decoded: a parameter is what stands between two '&', even nothing, its name what stands before the first '=', and
// bytes are compared. Of two that differ in the '=' alone the one without it comes first.
func insertQuerySorted(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	if strings.Count(r.Query, "&") >= maxParameters {
		return buf, errQueryLong
	}
	var room [32]string
	params := room[:0]
	for param := range strings.SplitSeq(r.Query, "&") {
		params = append(params, param)
	}
	slices.SortFunc(params, func(a, b string) int {
		nameA, valueA, _ := strings.Cut(a, "=")
		nameB, valueB, _ := strings.Cut(b, "=")
		return cmp.Or(strings.Compare(nameA, nameB), strings.Compare(valueA, valueB), cmp.Compare(len(a), len(b)))
	})
	for i, param := range params {
		if i > 0 {
			buf = append(buf, '&')
		}
		buf = append(buf, param...)
	}
	return buf, nil
}

func insertBody(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	body, err := wholeBody(r)
	return append(buf, body...), err
}

func insertBodySHA256Hex(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	body, err := wholeBody(r)
	return hex.AppendEncode(buf, sum256(body)), err
}

func insertBodySHA256Base64(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	body, err := wholeBody(r)
	return base64.StdEncoding.AppendEncode(buf, sum256(body)), err
}

func insertBodyMD5(_ origin, r *authz.Request, _ string, buf []byte) ([]byte, error) {
	body, err := wholeBody(r)
	return append(buf, contentMD5(body)...), err
}

// insertField inserts the value of a header. One that occurs twice is refused: clients join such values in ways of
// their own.
func insertField(_ origin, r *authz.Request, header string, buf []byte) ([]byte, error) {
	switch value, count := r.Header(header); count {
	case 0:
		return buf, errAbsent
	case 1:
		return append(buf, trim(value)...), nil
	default:
		return buf, errCoveredTwice
	}
}
