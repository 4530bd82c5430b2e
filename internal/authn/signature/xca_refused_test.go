package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestXCaRefused has, for each reason to refuse a request, requests that are good but for one thing.
func TestXCaRefused(t *testing.T) {
	set := func(name, value string) func(*authz.Request) {
		return func(r *authz.Request) { setHeader(r, name, value) }
	}
	remove := func(names ...string) func(*authz.Request) {
		return func(r *authz.Request) {
			for _, name := range names {
				removeHeader(r, name)
			}
		}
	}
	again := func(name, value string) func(*authz.Request) {
		return func(r *authz.Request) { r.Headers = append(r.Headers, authz.Header{Name: name, Value: value}) }
	}
	query := func(query string) func(*authz.Request) {
		return func(r *authz.Request) { r.Query = query }
	}
	body := func(text string, state authz.BodyState) func(*authz.Request) {
		return func(r *authz.Request) { r.Body = authz.Body{Bytes: []byte(text), State: state} }
	}
	form := func(q *SignRequest) { *q = xCaForm() }
	list := func(names ...string) func(*SignRequest) {
		return func(q *SignRequest) { q.Cover = names }
	}
	coverHost := func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = append(v1alpha1.ProfileXCa.Cover(), "host") }
	const (
		malformed = authz.ReasonMalformedCredential
		ambiguous = authz.ReasonAmbiguousCredential
		bad       = authz.ReasonBadSignature
		uncovered = authz.ReasonNotCovered
	)
	for name, c := range map[string]struct {
		spec    func(*v1alpha1.SignatureScheme, *Options)
		sign    func(*SignRequest)
		request func(*authz.Request)
		reason  authz.Reason
		text    string
	}{
		"nothing":        {request: remove(xCaKey, xCaSignature), reason: authz.ReasonNoCredential, text: "neither X-Ca-Key nor X-Ca-Signature"},
		"no key":         {request: remove(xCaKey), reason: malformed, text: "only one of X-Ca-Key and X-Ca-Signature"},
		"no signature":   {request: remove(xCaSignature), reason: malformed, text: "only one of X-Ca-Key and X-Ca-Signature"},
		"empty key":      {request: set(xCaKey, " "), reason: malformed, text: "X-Ca-Key is empty"},
		"too long":       {request: set("x-ca-stage", strings.Repeat("a", 8<<10)), reason: malformed, text: "longer than 8 KiB"},
		"two keys":       {request: again(xCaKey, "203753385"), reason: ambiguous, text: "occurs twice"},
		"two signatures": {request: again(xCaSignature, "AAAA"), reason: ambiguous, text: "occurs twice"},
		"two methods":    {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha256" }, request: again(xCaMethod, "HmacSHA256"), reason: ambiguous, text: "occurs twice"},
		"two times":      {request: again(xCaTimestamp, "1618884473000"), reason: ambiguous, text: "occurs twice"},
		"two nonces":     {request: again(xCaNonce, "6f1c4b8e"), reason: ambiguous, text: "occurs twice"},
		"joined nonces":  {request: set(xCaNonce, "6f1c4b8e,6f1c4b8f"), reason: ambiguous, text: "comma as if joined"},
		"joined keys":    {request: set(xCaKey, "203753385,1"), reason: ambiguous, text: "comma as if joined"},
		"two lists":      {request: again(xCaListed, "x-ca-key"), reason: ambiguous, text: "occurs twice"},
		"no base64":      {request: set(xCaSignature, "6a!="), reason: malformed, text: "not standard base64"},
		"base64url":      {request: set(xCaSignature, "-_-_"), reason: malformed, text: "not standard base64"},
		"no padding":     {request: func(r *authz.Request) { setHeader(r, xCaSignature, strings.Trim(header(r, xCaSignature), "=")) }, reason: malformed, text: "not standard base64"},
		"stray bits":     {request: set(xCaSignature, "AB=="), reason: malformed, text: "not standard base64"},
		"a line end":     {request: set(xCaSignature, "AA\n=="), reason: malformed, text: "not standard base64"},
		"another method": {request: set(xCaMethod, "HmacMD5"), reason: authz.ReasonAlgorithmRefused, text: "neither HmacSHA256 nor HmacSHA1"},
		"its other case": {request: set(xCaMethod, "hmacsha256"), reason: authz.ReasonAlgorithmRefused, text: "neither HmacSHA256 nor HmacSHA1"},
		"HmacSHA1 unnamed": {
			sign: func(q *SignRequest) { q.Algorithm = "hmac-sha1" }, reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm",
		},
		"HmacSHA1 unsaid": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Algorithms = []string{"hmac-sha1", "hmac-sha256"} },
			sign: func(q *SignRequest) { q.Algorithm = "hmac-sha1"; q.Cover = v1alpha1.ProfileXCa.Cover() },
			request: func(r *authz.Request) {
				removeHeader(r, xCaMethod)
			},
			reason: bad, text: "does not verify",
		},
		"list of no names":    {request: set(xCaListed, "x-ca-key,x ca"), reason: malformed, text: "not a list of field names"},
		"listed twice":        {request: set(xCaListed, "x-ca-key,X-Ca-Key"), reason: malformed, text: "lists a field twice"},
		"too many listed":     {request: set(xCaListed, numbered(65)), reason: malformed, text: "more than 64 components"},
		"too many not signed": {request: set(xCaListed, strings.Repeat("date,", 65)), reason: malformed, text: "more than 64 components"},
		"too many of nothing": {request: set(xCaListed, strings.Repeat(",", 65)), reason: malformed, text: "more than 64 components"},
		"another spelling":    {request: set(xCaListed, "X-Ca-Key,x-ca-timestamp,x-ca-nonce"), reason: bad, text: "does not verify"},
		"one more listed":     {request: set(xCaListed, "x-ca-key,x-ca-timestamp,x-ca-nonce,x-a"), reason: bad, text: "does not verify"},
		"nothing listed":      {sign: list("accept"), reason: uncovered, text: "does not say when it was created"},
		"no list":             {request: remove(xCaListed), reason: uncovered, text: "does not say when it was created"},
		"key not listed":      {sign: list(xCaTimestamp, xCaNonce), reason: uncovered, text: "does not cover x-ca-key"},
		"time not listed":     {sign: list(xCaKey, xCaNonce), reason: uncovered, text: "does not say when it was created"},
		"nonce not listed":    {sign: list(xCaKey, xCaTimestamp), reason: uncovered, text: "has no nonce"},
		"empty nonce":         {request: set(xCaNonce, ""), reason: uncovered, text: "has no nonce"},
		"host not listed":     {spec: coverHost, reason: uncovered, text: "does not cover host"},
		"another host":        {sign: list(xCaKey, xCaTimestamp, xCaNonce, "host"), request: func(r *authz.Request) { r.Host = "example.org" }, reason: bad, text: "does not verify"},
		"time in seconds":     {request: set(xCaTimestamp, "1618884473"), reason: authz.ReasonClockSkew, text: "older than maxAge"},
		"time signed":         {request: set(xCaTimestamp, "-1618884473000"), reason: malformed, text: "not a number of milliseconds"},
		"time as text":        {request: set(xCaTimestamp, "now"), reason: malformed, text: "not a number of milliseconds"},
		"time too long":       {request: set(xCaTimestamp, "9999999999999999999"), reason: malformed, text: "not a number of milliseconds"},
		"time listed, absent": {request: remove(xCaTimestamp), reason: malformed, text: "not a number of milliseconds"},
		"16 minutes old":      {sign: func(q *SignRequest) { q.Created = now.Add(-16 * time.Minute) }, reason: authz.ReasonClockSkew, text: "older than maxAge"},
		"16 minutes ahead":    {sign: func(q *SignRequest) { q.Created = now.Add(16 * time.Minute) }, reason: authz.ReasonClockSkew, text: "in the future"},
		"unknown key":         {request: set(xCaKey, "203753386"), reason: authz.ReasonUnknownKey, text: "no signing key"},
		"method":              {request: func(r *authz.Request) { r.Method = "post" }, reason: bad, text: "does not verify"},
		"path":                {request: func(r *authz.Request) { r.Path = "/orders/" }, reason: bad, text: "does not verify"},
		"path encoded":        {request: func(r *authz.Request) { r.Path = "/%6Frders" }, reason: bad, text: "does not verify"},
		"no path":             {request: func(r *authz.Request) { r.Path = "*" }, reason: bad, text: "the request target is not a path"},
		"fixed fields swapped": {
			request: func(r *authz.Request) { setHeader(r, "date", header(r, "accept")); setHeader(r, "accept", "") },
			reason:  bad, text: "does not verify",
		},
		"two Accepts":     {request: again("accept", "text/html"), reason: uncovered, text: "accept: it occurs with different values"},
		"two listed":      {sign: list(xCaKey, xCaTimestamp, xCaNonce, "x-a"), request: func(r *authz.Request) { again("x-a", "1")(r); again("x-a", "2")(r) }, reason: uncovered, text: "x-a: it occurs with different values"},
		"line in a field": {request: set("accept", "x\ny"), reason: bad, text: "accept: its value holds a control byte"},
		"non-ASCII field": {sign: list(xCaKey, xCaTimestamp, xCaNonce, "x-a"), request: set("x-a", "é"), reason: bad, text: "x-a: its value holds a control byte"},

		"parameter":             {request: query("page=2&size=2"), reason: bad, text: "does not verify"},
		"parameter more":        {request: query("page=1&size=2&all"), reason: bad, text: "does not verify"},
		"parameter less":        {request: query("page=1"), reason: bad, text: "does not verify"},
		"parameter twice":       {request: query("page=1&size=2&page=2"), reason: uncovered, text: "occurs more than once"},
		"twice with one value":  {request: query("page=1&size=2&p%61ge=1"), reason: uncovered, text: "occurs more than once"},
		"in query and form":     {sign: form, request: query("page=1&size=2&item=8"), reason: uncovered, text: "occurs more than once"},
		"in form and query":     {sign: form, request: body("item=7&note=two+words&page=9", authz.BodyWhole), reason: uncovered, text: "occurs more than once"},
		"two parameters as one": {request: query("page=1%26size=2"), reason: uncovered, text: "an encoded '&'"},
		"name with its value":   {request: query("page%3D1&size=2"), reason: uncovered, text: "its name an encoded '='"},
		"broken encoding":       {request: query("page=%1&size=2"), reason: bad, text: "percent-encoding of a parameter is broken"},
		"encoding cut":          {request: query("page=1&size=%3"), reason: bad, text: "percent-encoding of a parameter is broken"},
		"too many parameters":   {request: query(strings.ReplaceAll(numbered(1001), ",", "&")), reason: bad, text: "more than 1000 parameters"},
		"form altered":          {sign: form, request: body("item=8&note=two+words", authz.BodyWhole), reason: bad, text: "does not verify"},
		"form gone":             {sign: form, request: body("", authz.BodyNone), reason: bad, text: "does not verify"},
		"form cut":              {sign: form, request: body("item=7&note=two+words", authz.BodyPartial), reason: authz.ReasonBodyTooLarge, text: "only the beginning"},
		"form not sent":         {sign: form, request: body("", authz.BodyWithheld), reason: authz.ReasonBodyUnavailable, text: "with_request_body"},
		"form no longer":        {sign: form, request: set("content-type", "text/plain"), reason: bad, text: "does not verify"},
		"form's MD5 wrong": {sign: func(q *SignRequest) {
			form(q)
			q.Headers = append(q.Headers, authz.Header{Name: "Content-MD5", Value: contentMD5(nil)})
		}, reason: authz.ReasonBodyMismatch, text: "Content-MD5"},
		"body altered":           {request: body(`{"item": 8}`, authz.BodyWhole), reason: authz.ReasonBodyMismatch, text: "Content-MD5"},
		"body and MD5 altered":   {request: func(r *authz.Request) { r.Body.Bytes = nil; setHeader(r, "content-md5", contentMD5(nil)) }, reason: bad, text: "does not verify"},
		"body not bound":         {sign: func(q *SignRequest) { q.Body = nil }, request: body("x", authz.BodyWhole), reason: uncovered, text: "does not bind the body"},
		"body cut":               {request: body(`{"item"`, authz.BodyPartial), reason: authz.ReasonBodyTooLarge, text: "only the beginning"},
		"body not sent":          {request: body("", authz.BodyWithheld), reason: authz.ReasonBodyUnavailable, text: "with_request_body"},
		"no body where required": {spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyRequired }, sign: func(q *SignRequest) { q.Body = nil }, reason: uncovered, text: "does not bind the body"},
	} {
		t.Run(name, func(t *testing.T) {
			q := xCaOrder()
			if c.sign != nil {
				c.sign(&q)
			}
			r := signed(t, q)
			if c.request != nil {
				c.request(r)
			}
			p, err := check(newXCaScheme(t, xCaKeys(), c.spec), r)
			wantRefused(t, p, err, c.reason, c.text)
		})
	}
}

// numbered lists n names.
func numbered(n int) string {
	var names []string
	for i := range n {
		names = append(names, "n"+strings.Repeat("a", i/26)+string(rune('a'+i%26)))
	}
	return strings.Join(names, ",")
}
