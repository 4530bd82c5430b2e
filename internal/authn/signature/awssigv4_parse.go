package signature

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// sigV4Parts are the parts of a signature as they stand in the request.
type sigV4Parts struct {
	algorithm, credential, signedHeaders, signature string

	presigned     bool
	date, expires string // presigned only
}

// readSigV4 finds the one signature of the request.
func readSigV4(r *authz.Request) (sigV4Parts, error) {
	var header, query sigV4Parts
	errHeader, errQuery := header.readAuthorization(r), query.readQuery(r.Query)
	inHeader, inQuery := !errors.Is(errHeader, authz.ErrNoCredential), !errors.Is(errQuery, authz.ErrNoCredential)
	switch {
	case inHeader && inQuery:
		return header, errSigV4Both
	case inQuery:
		return query, errQuery
	default:
		return header, errHeader
	}
}

// readAuthorization reads the field. It must stand alone: whoever reads the request after us might pick another.
func (a *sigV4Parts) readAuthorization(r *authz.Request) error {
	var (
		value       string
		lines, ours int
	)
	for i := range r.Headers {
		if r.Headers[i].Name != "authorization" {
			continue
		}
		lines++
		value = trim(r.Headers[i].Value)
		for part := range strings.SplitSeq(value, ",") {
			if isAWS4(strings.TrimLeft(part, " \t")) {
				ours++
			}
		}
	}
	switch {
	case ours == 0:
		return errSigV4None
	case ours > 1 || lines > 1 || !isAWS4(value):
		return errSigV4Several
	}
	var rest string
	a.algorithm, rest, _ = strings.Cut(value, " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(trim(part), "=")
		switch field := a.part(name); {
		case strings.Contains(name, " "): // another scheme's word, and the space after it
			return errSigV4Several
		case field == nil:
			return errSigV4Parts
		case *field != "":
			return errSigV4Twice
		default:
			*field = value
		}
	}
	if a.credential == "" || a.signedHeaders == "" || a.signature == "" {
		return errSigV4Parts
	}
	return nil
}

func isAWS4(s string) bool {
	const word = "AWS4-"
	return len(s) >= len(word) && strings.EqualFold(s[:len(word)], word)
}

func (a *sigV4Parts) part(name string) *string {
	switch name {
	case "Credential":
		return &a.credential
	case "SignedHeaders":
		return &a.signedHeaders
	case "Signature":
		return &a.signature
	default:
		return nil
	}
}

// readQuery reads the parameters of a presigned URL. Clients write their names plain. Percent-encoded they would look the
// same in the base and mean nothing here, so that X-Amz-Expire%73 would make a URL that never expires: refused.
func (a *sigV4Parts) readQuery(query string) error {
	a.presigned = true
	encoded := false
	for rest := query; rest != ""; {
		var param string
		param, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(param, "=")
		field := a.param(name)
		switch {
		case field == nil:
			if strings.IndexByte(name, '%') >= 0 {
				plain, _ := url.PathUnescape(name)
				encoded = encoded || a.param(plain) != nil
			}
			continue
		case *field != "":
			return errSigV4Twice
		case value == "":
			return errSigV4Query
		default:
			*field = value
		}
	}
	switch {
	case !encoded && a.algorithm == "" && a.credential == "" && a.signature == "":
		return errSigV4None
	case encoded || a.algorithm == "" || a.credential == "" || a.signature == "" || a.signedHeaders == "" || a.date == "":
		return errSigV4Query
	}
	var err error
	if a.credential, err = url.PathUnescape(a.credential); err != nil {
		return errSigV4Query
	}
	if a.signedHeaders, err = url.PathUnescape(a.signedHeaders); err != nil {
		return errSigV4Query
	}
	return nil
}

func (a *sigV4Parts) param(name string) *string {
	name, ok := strings.CutPrefix(name, "X-Amz-")
	if !ok {
		return nil
	}
	switch name {
	case "Algorithm":
		return &a.algorithm
	case "Date":
		return &a.date
	case "Expires":
		return &a.expires
	default:
		return a.part(name)
	}
}

// coverSignedHeaders reads SignedHeaders.
func (c *claim) coverSignedHeaders(list string) error {
	last, host := "", false
	for name := range strings.SplitSeq(list, ";") {
		switch {
		case len(c.covered) == maxComponents:
			return errComponents
		case name <= last || !isFieldName(name) && name != ":authority":
			return errSigV4Headers
		}
		host = host || name == "host" || name == ":authority"
		c.cover(name)
		last = name
	}
	if !host {
		return errSigV4Host
	}
	return nil
}

// setSigV4Times reads when the request was signed, and writes it into c.params.
func (c *claim) setSigV4Times(r *authz.Request, a sigV4Parts) error {
	text := a.date
	if !a.presigned {
		var n int
		if text, n = r.Header("x-amz-date"); n == 0 {
			return c.setHTTPDate(r)
		} else if n > 1 {
			return errSigV4Twice
		}
		text = trim(text)
	}
	var err error
	if c.created, err = time.Parse(sigV4Time, text); err != nil || len(text) != len(sigV4Time) {
		return errSigV4Date
	}
	c.params = append(c.params, text...)
	if a.expires == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(a.expires, 10, 32)
	if err != nil || seconds < 1 || seconds > sigV4MaxExpires {
		return errSigV4Expires
	}
	c.expires = c.created.Add(time.Duration(seconds) * time.Second)
	return nil
}

// setHTTPDate reads the time from Date, for requests without X-Amz-Date.
func (c *claim) setHTTPDate(r *authz.Request) error {
	text, n := r.Header("date")
	text = trim(text)
	if zoned, ok := strings.CutSuffix(text, "-0000"); ok {
		text = zoned + "GMT" // as botocore writes it
	}
	at, err := time.Parse(http.TimeFormat, text)
	switch {
	case n > 1:
		return errSigV4Twice
	case err != nil || len(text) != len(http.TimeFormat):
		return errSigV4HTTPDate
	case !c.covers("date"):
		return errSigV4DateOpen
	}
	c.created = at
	c.params = at.AppendFormat(c.params, sigV4Time)
	return nil
}

// readCredential takes the access key, which may hold a '/', and adds the scope after it to c.params.
func (p *awsSigV4) readCredential(c *claim, credential string) error {
	rest, terminator, _ := cutLast(credential)
	rest, service, _ := cutLast(rest)
	rest, region, _ := cutLast(rest)
	accessKey, day, ok := cutLast(rest)
	switch {
	case !ok || accessKey == "" || terminator != sigV4Terminator:
		return errSigV4Scope
	case day != string(c.params[:len("20060102")]):
		return errSigV4Day
	case !slices.Contains(p.regions, region):
		return errSigV4Region
	case !slices.Contains(p.services, service):
		return errSigV4Service
	}
	c.keyID = accessKey
	c.params = append(append(c.params, '\n'), credential[len(accessKey)+len("/"):]...)
	return nil
}

func cutLast(s string) (before, after string, ok bool) {
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}
