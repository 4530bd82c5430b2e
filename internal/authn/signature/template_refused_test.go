package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestTemplateLoad refuses formats that would not bind what they should, and says what to write instead.
func TestTemplateLoad(t *testing.T) {
	const rest = `\n{method}\n{host}\n{target}\n{nonce}\n{body_sha256_hex}`
	text := func(text string) func(*v1alpha1.SignatureScheme) {
		return func(s *v1alpha1.SignatureScheme) { s.Template.Text = text }
	}
	for name, c := range map[string]struct {
		edit func(*v1alpha1.SignatureScheme)
		want string // of the error; empty: it loads
	}{
		"good":          {func(*v1alpha1.SignatureScheme) {}, ""},
		"no template":   {func(s *v1alpha1.SignatureScheme) { s.Template = nil }, "template: is missing"},
		"placeholder":   {text("{verb}"), "template.text: {verb} is not a placeholder; use {body}, {body_md5_b64}"},
		"its case":      {text("{Method}"), "template.text: {Method} is not a placeholder"},
		"none":          {text("{}"), "template.text: {} is not a placeholder"},
		"nested":        {text("{header:{path}}"), "template.text: {header:{path} does not name a header"},
		"argument":      {text("{path:x}"), "template.text: {path:x} is not a placeholder"},
		"no argument":   {text("{header}"), "template.text: {header} is not a placeholder; use {body}"},
		"unclosed":      {text("{path"), "template.text: a { is not closed; write }, or {{ for a brace"},
		"stray brace":   {text("path}"), "template.text: a } stands alone; write }} for a brace"},
		"escape":        {text(`\r`), `template.text: a \ stands alone; write \n, \t or \\`},
		"escape at end": {text(`{path}\`), `template.text: a \ stands alone`},
		"header name":   {text("{header:}"), "template.text: {header:} does not name a header; write such as {header:X-Env}"},
		"pseudo-header": {text("{header::path}"), "template.text: {header::path} does not name a header"},
		"itself":        {text("{header:x-signature}"), "template.text: {header:x-signature} is the signature itself; leave it out"},
		"no timestamp": {func(s *v1alpha1.SignatureScheme) { s.Template.Timestamp = nil },
			"template.text: {timestamp} stands for no header; set template.timestamp: {header: X-Timestamp, unit: s}"},
		"no nonce": {func(s *v1alpha1.SignatureScheme) { s.Template.Nonce = nil },
			"template.text: {nonce} stands for no header; set template.nonce: {header: X-Nonce}"},
		"no key id": {func(s *v1alpha1.SignatureScheme) { s.Template.KeyID = nil },
			"template.text: {key_id} stands for no header; set template.keyId: {header: X-Key-Id}"},
		"nonce unsigned": {text(strings.Replace(fullText, `{nonce}\n`, "", 1)),
			"template.nonce: what is not signed proves nothing; put {nonce} into template.text"},
		"timestamp unsigned": {text(strings.Replace(fullText, `{timestamp}\n`, "", 1)),
			"template.timestamp: what is not signed proves nothing; put {timestamp} into template.text"},

		"side by side":          {text("{query}{nonce}" + rest), `template.text: nothing tells where the value of {query} ends and that of {nonce} begins; write a separator such as \n between them`},
		"headers side by side":  {text("{header:a}{header:b}"), "where the value of {header:a} ends and that of {header:b} begins"},
		"scheme and host":       {text("{scheme}{host}"), "where the value of {scheme} ends"},
		"method and host":       {text("{method}{host}"), "where the value of {method} ends"},
		"query before path":     {text("{query}{path}"), "where the value of {query} ends"},
		"header before path":    {text("{header:a}{target}"), "where the value of {header:a} ends"},
		"host header and path":  {text("{timestamp}{header:Host}{target}{body_sha256_b64}{nonce}{method}"), "where the value of {nonce} ends"},
		"target and body":       {text("{timestamp}{method}{target}{body}"), "where the value of {target} ends and that of {body} begins"},
		"time within":           {text("{method}{target}{timestamp}{body}"), "where the value of {target} ends and that of {timestamp} begins"},
		"MD5 within":            {text("{path}{body_md5_b64}{body}"), "where the value of {path} ends"},
		"method beside path":    {text("{timestamp}{method}{path}\\n{host}\\n{query}{body_sha256_hex}{nonce}"), ""},
		"a whole URL":           {text("{scheme}://{host}{target}\\n{method}{body_sha256_b64}{timestamp}\\n{nonce}"), ""},
		"time at the end":       {text("{nonce}\\n{method}{path}\\n{host}\\n{query}{timestamp}{body_sha256_hex}"), ""},
		"what the reader shows": {text("{timestamp}.{method}.{host}.{path}.{query_sorted}.{header:x-env}.{nonce}.{body_sha256_hex}"), ""},

		"nothing covered": {text("{timestamp}{nonce}"),
			"template.text: does not cover method, host, path, query, body; add {method}, {host}, {path}, {query_sorted}, {body_sha256_hex}, " +
				"or say in so many words that less is enough: cover: [timestamp]; {body_md5_b64} does not count, for two bodies with one MD5"},
		"host not covered": {text(`{timestamp}\n{method}\n{target}\n{nonce}\n{body}`),
			"template.text: does not cover host; add {host}, or say in so many words that less is enough: cover: [method, path, query, timestamp, body]"},
		"MD5 only":    {text(`{timestamp}\n{method}\n{host}\n{target}\n{nonce}\n{body_md5_b64}`), "does not cover body; add {body_sha256_hex}"},
		"method only": {text(`{timestamp}\n{nonce}\n{header:method}` + rest[len(`\n{method}`):]), "does not cover method"},
		"no word of time": {func(s *v1alpha1.SignatureScheme) { s.Template.Timestamp, s.Template.Text = nil, "{key_id}"+rest },
			"does not cover timestamp; add {timestamp}"},
		"nonce wanted": {func(s *v1alpha1.SignatureScheme) {
			s.Cover, s.Template.Nonce, s.Template.Text = []string{"nonce"}, nil, "{timestamp}{body}"
		}, "template.text: does not cover nonce; add {nonce}"},
		"less wanted": {func(s *v1alpha1.SignatureScheme) {
			s.Cover, s.Template.Text = []string{"timestamp"}, "{timestamp}{nonce}"
		}, ""},
		"body unbound": {func(s *v1alpha1.SignatureScheme) {
			s.Body, s.Template.Text = v1alpha1.BodyUnbound, `{timestamp}\n{method}\n{host}\n{target}\n{nonce}`
		}, ""},
		"body required": {func(s *v1alpha1.SignatureScheme) {
			s.Body, s.Cover, s.Template.Text = v1alpha1.BodyRequired, []string{"timestamp"}, "{timestamp}{nonce}"
		}, "template.text: does not cover the body, which body: Required asks of every request; add {body_sha256_hex}"},

		"algorithm":  {func(s *v1alpha1.SignatureScheme) { s.Template.Algorithm = "hmac-sha1" }, `template.algorithm: "hmac-sha1" is not known`},
		"algorithms": {func(s *v1alpha1.SignatureScheme) { s.Algorithms = []string{"hmac-sha512"} }, "algorithms: hmac-sha256, which template.algorithm says, is not among them"},
		"encoding":   {func(s *v1alpha1.SignatureScheme) { s.Template.Signature.Encoding = "" }, `template.signature.encoding: "" is not known; use hex, base64 or base64url`},
		"unit":       {func(s *v1alpha1.SignatureScheme) { s.Template.Timestamp.Unit = "us" }, `template.timestamp.unit: "us" is not known; use s, ms or rfc3339`},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &v1alpha1.SignatureScheme{Profile: v1alpha1.ProfileTemplate, Template: describe(fullText)}
			c.edit(spec)
			setDefaults(spec, "rfc")
			_, err := New(spec, Options{Namespace: "rfc", Stores: []keystore.Store{keys{}}, Replay: newMemory()})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got == "" != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want …%s…", got, c.want)
			}
		})
	}
}

// TestTemplateRefused has requests that are good but for one thing.
func TestTemplateRefused(t *testing.T) {
	header := func(name, value string) func(*authz.Request) {
		return func(r *authz.Request) { setHeader(r, name, value) }
	}
	again := func(name, value string) func(*authz.Request) {
		return func(r *authz.Request) { r.Headers = append(r.Headers, authz.Header{Name: name, Value: value}) }
	}
	without := func(name string) func(*authz.Request) {
		return func(r *authz.Request) { removeHeader(r, name) }
	}
	signature := func(edit func(string) string) func(*authz.Request) {
		return func(r *authz.Request) { v, _ := r.Header("x-signature"); setHeader(r, "x-signature", edit(v)) }
	}
	malformed, ambiguous, bad := authz.ReasonMalformedCredential, authz.ReasonAmbiguousCredential, authz.ReasonBadSignature
	for name, c := range map[string]struct {
		format  func(*v1alpha1.SignatureTemplate)
		request func(*authz.Request)
		reason  authz.Reason
		text    string
	}{
		"no signature":       {nil, without("x-signature"), authz.ReasonNoCredential, "no signature in X-Signature"},
		"empty signature":    {nil, header("x-signature", ""), malformed, `X-Signature is not "v1=" and a signature in hex`},
		"prefix alone":       {nil, header("x-signature", "v1="), malformed, `X-Signature is not "v1="`},
		"no prefix":          {nil, signature(func(v string) string { return v[3:] }), malformed, `X-Signature is not "v1="`},
		"prefix in capitals": {nil, signature(func(v string) string { return "V1=" + v[3:] }), malformed, `X-Signature is not "v1="`},
		"not hex":            {nil, signature(func(v string) string { return v[:len(v)-1] + "g" }), malformed, `X-Signature is not "v1="`},
		"half a byte":        {nil, signature(func(v string) string { return v[:len(v)-1] }), malformed, `X-Signature is not "v1="`},
		"blank in it":        {nil, signature(func(v string) string { return "v1= " + v[3:] }), malformed, `X-Signature is not "v1="`},
		"a byte short":       {nil, signature(func(v string) string { return v[:len(v)-2] }), bad, "does not verify"},
		"a byte more":        {nil, signature(func(v string) string { return v + "00" }), bad, "does not verify"},
		"too long":           {nil, signature(func(v string) string { return v + strings.Repeat("00", 4<<10) }), malformed, "longer than 8 KiB"},
		"two signatures":     {nil, again("x-signature", "v1=00"), ambiguous, "a header of the signature occurs more than once"},
		"joined signatures":  {nil, signature(func(v string) string { return v + "," + v }), ambiguous, "a header of the signature occurs more than once"},

		"no key id":         {nil, without("x-key-id"), malformed, "X-Key-Id is absent or empty"},
		"empty key id":      {nil, header("x-key-id", " "), malformed, "X-Key-Id is absent or empty"},
		"two key ids":       {nil, again("x-key-id", "client"), ambiguous, "a header of the signature occurs more than once"},
		"joined key ids":    {nil, header("x-key-id", "client,client"), ambiguous, "a header of the signature occurs more than once"},
		"unknown key":       {nil, header("x-key-id", "nobody"), authz.ReasonUnknownKey, "no signing key"},
		"long key id":       {nil, header("x-key-id", strings.Repeat("k", 8<<10+1)), malformed, "longer than 8 KiB"},
		"no nonce":          {nil, without("x-nonce"), malformed, "X-Nonce is absent or empty"},
		"two nonces":        {nil, again("x-nonce", "n-2"), ambiguous, "a header of the signature occurs more than once"},
		"another nonce":     {nil, header("x-nonce", "n-2"), bad, "does not verify"},
		"no timestamp":      {nil, without("x-timestamp"), malformed, "X-Timestamp is absent or empty"},
		"two timestamps":    {nil, again("x-timestamp", "1618884473"), ambiguous, "a header of the signature occurs more than once"},
		"another timestamp": {nil, header("x-timestamp", "1618884474"), bad, "does not verify"},

		"time in ms":       {nil, header("x-timestamp", "1618884473000"), malformed, "the timestamp is not written in the unit"},
		"fraction":         {nil, header("x-timestamp", "1618884473.0"), malformed, "the timestamp is not written in the unit"},
		"sign":             {nil, header("x-timestamp", "+618884473"), malformed, "the timestamp is not written in the unit"},
		"leading zero":     {nil, header("x-timestamp", "0618884473"), malformed, "the timestamp is not written in the unit"},
		"other digits":     {nil, header("x-timestamp", "161888447٣"), malformed, "the timestamp is not written in the unit"},
		"s for ms":         {in(v1alpha1.UnitMilliseconds), header("x-timestamp", "1618884473"), malformed, "the timestamp is not written in the unit"},
		"s for RFC 3339":   {in(v1alpha1.UnitRFC3339), header("x-timestamp", "1618884473"), malformed, "the timestamp is not written in the unit"},
		"no zone":          {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-04-20T02:07:53"), malformed, "the timestamp is not written in the unit"},
		"lower case":       {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-04-20t02:07:53z"), malformed, "the timestamp is not written in the unit"},
		"short hour":       {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-04-20T2:07:53Z"), malformed, "the timestamp is not written in the unit"},
		"comma":            {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-04-20T02:07:53,5Z"), ambiguous, "a header of the signature occurs more than once"},
		"no digits":        {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-04-20T02:07:53.Z"), malformed, "the timestamp is not written in the unit"},
		"short zone":       {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-04-20T02:07:53+0000"), malformed, "the timestamp is not written in the unit"},
		"31 February":      {in(v1alpha1.UnitRFC3339), header("x-timestamp", "2021-02-31T02:07:53Z"), malformed, "the timestamp is not written in the unit"},
		"future":           {nil, header("x-timestamp", "1618884544"), authz.ReasonClockSkew, "created in the future"},
		"too old":          {nil, func(r *authz.Request) { r.Now = created.Add(301 * time.Second) }, authz.ReasonClockSkew, "older than maxAge"},
		"too old in ms":    {in(v1alpha1.UnitMilliseconds), func(r *authz.Request) { r.Now = created.Add(301 * time.Second) }, authz.ReasonClockSkew, "older than maxAge"},
		"ancient RFC 3339": {in(v1alpha1.UnitRFC3339), header("x-timestamp", "0001-01-01T00:00:00Z"), authz.ReasonNotCovered, "does not say when"},

		"header absent":     {nil, without("x-env"), bad, "{header:X-Env}: it is covered, but not in the request"},
		"header twice":      {nil, again("x-env", "prod"), ambiguous, "{header:X-Env}: ambiguous_credential: the field that is covered occurs more than once"},
		"header of bytes":   {nil, header("x-env", "pr\xffd"), bad, "{header:X-Env}: its value holds a control byte"},
		"header of lines":   {nil, header("x-env", "prod\nx"), bad, "{header:X-Env}: its value holds a control byte"},
		"no host":           {nil, func(r *authz.Request) { r.Host = "" }, bad, "{host}: the host is not one host"},
		"two hosts":         {nil, func(r *authz.Request) { r.Host = "a.example,b.example" }, bad, "{host}: its value holds a byte that such a value cannot hold"},
		"host with a path":  {nil, func(r *authz.Request) { r.Host = "example.com/a" }, bad, "{host}: its value holds a byte that such a value cannot hold"},
		"strange method":    {nil, func(r *authz.Request) { r.Method = "GET/a" }, bad, "{method}: its value holds a byte that such a value cannot hold"},
		"asterisk":          {nil, func(r *authz.Request) { r.Path = "*" }, bad, "{target}: the request target is not a path"},
		"host in capitals":  {nil, func(r *authz.Request) { r.Host = "Example.com:8443" }, bad, "does not verify"},
		"order of query":    {nil, func(r *authz.Request) { r.Query = "page=1&page=2&all" }, bad, "does not verify"},
		"many parameters":   {func(d *v1alpha1.SignatureTemplate) { d.Text = sortedText }, func(r *authz.Request) { r.Query = strings.Repeat("&", maxParameters) }, bad, "{query_sorted}: the query has more than 1000"},
		"scheme of no kind": {func(d *v1alpha1.SignatureTemplate) { d.Text += "{scheme}" }, func(r *authz.Request) { r.Scheme = "gopher" }, bad, "{scheme}: the request's scheme is neither"},

		"body changed":  {nil, func(r *authz.Request) { r.Body.Bytes = []byte("{}") }, bad, "does not verify"},
		"body gone":     {nil, func(r *authz.Request) { r.Body = authz.Body{} }, bad, "does not verify"},
		"body cut":      {nil, func(r *authz.Request) { r.Body.State = authz.BodyPartial }, authz.ReasonBodyTooLarge, "only the beginning of the body"},
		"body withheld": {nil, func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }, authz.ReasonBodyUnavailable, "set with_request_body"},
		"body unknown":  {nil, func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyUnknown} }, bad, "does not verify"},
	} {
		t.Run(name, func(t *testing.T) {
			d := describe(fullText)
			if c.format != nil {
				c.format(d)
			}
			r := signed(t, templateRequest(d))
			s := templated(t, d, nil)
			c.request(r)
			p, err := check(s, r)
			wantRefused(t, p, err, c.reason, c.text)
		})
	}
}

// sortedText takes the query in any order.
const sortedText = `{timestamp}\n{method}\n{host}\n{path}\n{query_sorted}\n{nonce}\n{body}`

func in(unit v1alpha1.TimestampUnit) func(*v1alpha1.SignatureTemplate) {
	return func(d *v1alpha1.SignatureTemplate) { d.Timestamp.Unit = unit }
}
