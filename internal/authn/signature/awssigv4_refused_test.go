package signature

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// edit replaces text in the Authorization field.
func editAuthorization(old, replacement string) func(*authz.Request) {
	return func(r *authz.Request) {
		setHeader(r, "authorization", strings.Replace(header(r, "authorization"), old, replacement, 1))
	}
}

func editQuery(old, replacement string) func(*authz.Request) {
	return func(r *authz.Request) { r.Query = strings.Replace(r.Query, old, replacement, 1) }
}

func addField(name, value string) func(*authz.Request) {
	return func(r *authz.Request) { r.Headers = append(r.Headers, authz.Header{Name: name, Value: value}) }
}

func setField(name, value string) func(*authz.Request) {
	return func(r *authz.Request) { setHeader(r, name, value) }
}

// awsRefusal is something done to a signed request, and how it is refused.
type awsRefusal struct {
	spoil  func(*authz.Request)
	reason authz.Reason
	text   string
}

func wantAWSRefusals(t *testing.T, q SignRequest, edit func(*v1alpha1.SignatureScheme, *Options), cases map[string]awsRefusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if p, err := check(newAWSScheme(t, edit), awsSigned(t, q)); err != nil || p.Subject != "app:rfc/"+awsKeyID {
				t.Fatalf("unspoilt: %v, %v", p, err)
			}
			r := awsSigned(t, q)
			c.spoil(r)
			p, err := check(newAWSScheme(t, edit), r)
			wantRefused(t, p, err, c.reason, c.text)
		})
	}
}

// TestSigV4Refused spoils a request that is signed in Authorization.
func TestSigV4Refused(t *testing.T) {
	const date, scope = "20150830T123600Z", "/20150830/us-east-1/execute-api/aws4_request"
	names := "content-type;host;x-amz-content-sha256;x-amz-date;x-env"
	many := "SignedHeaders=a0"
	for i := range maxComponents {
		many += ";b" + strings.Repeat("b", i)
	}
	wantAWSRefusals(t, awsOrder(), nil, map[string]awsRefusal{
		"nothing of ours":    {setField("authorization", "Bearer x"), authz.ReasonNoCredential, "no AWS signature"},
		"no parts":           {setField("authorization", "AWS4-HMAC-SHA256"), authz.ReasonMalformedCredential, "is not Credential"},
		"no signature":       {editAuthorization(", Signature=", ", Signatur="), authz.ReasonMalformedCredential, "is not Credential"},
		"empty credential":   {editAuthorization(awsKeyID+scope, ""), authz.ReasonMalformedCredential, "is not Credential"},
		"unknown part":       {editAuthorization(", Signature=", ", Date="+date+", Signature="), authz.ReasonMalformedCredential, "is not Credential"},
		"part twice":         {editAuthorization(", Signature=", ", SignedHeaders=host, Signature="), authz.ReasonAmbiguousCredential, "occurs twice"},
		"joined, ours first": {func(r *authz.Request) { setHeader(r, "authorization", header(r, "authorization")+",Basic eDp5") }, authz.ReasonAmbiguousCredential, "something else"},
		"joined, ours last":  {func(r *authz.Request) { setHeader(r, "authorization", "Basic eDp5,"+header(r, "authorization")) }, authz.ReasonAmbiguousCredential, "something else"},
		"joined with itself": {func(r *authz.Request) {
			setHeader(r, "authorization", header(r, "authorization")+","+header(r, "authorization"))
		}, authz.ReasonAmbiguousCredential, "something else"},
		"two lines":                   {addField("authorization", "Bearer x"), authz.ReasonAmbiguousCredential, "something else"},
		"other form, spelt otherwise": {func(r *authz.Request) { r.Query += "&X%2DAmz-Expires=60" }, authz.ReasonAmbiguousCredential, "in Authorization and in the query"},
		"too many parameters":         {func(r *authz.Request) { r.Query = strings.Repeat("a&", maxParameters+1) }, authz.ReasonBadSignature, "more than 1000 parameters"},
		"both forms":                  {func(r *authz.Request) { r.Query += "&X-Amz-Signature=x" }, authz.ReasonAmbiguousCredential, "in Authorization and in the query"},
		"SigV4a":                      {editAuthorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), authz.ReasonAlgorithmRefused, "SigV4a"},
		"another algorithm":           {editAuthorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), authz.ReasonAlgorithmRefused, "is not AWS4-HMAC-SHA256"},
		"another case":                {editAuthorization("AWS4-HMAC", "aws4-hmac"), authz.ReasonAlgorithmRefused, "is not AWS4-HMAC-SHA256"},
		"long":                        {editAuthorization(awsKeyID, strings.Repeat("A", maxFieldBytes)), authz.ReasonMalformedCredential, "longer than 8 KiB"},
		"short signature":             {editAuthorization("Signature=", "Signature=00"), authz.ReasonMalformedCredential, "64 lower-case"},
		"signature in capitals":       {func(r *authz.Request) { setHeader(r, "authorization", upperSignature(header(r, "authorization"))) }, authz.ReasonMalformedCredential, "64 lower-case"},
		"no scope":                    {editAuthorization(scope, ""), authz.ReasonMalformedCredential, "not an access key, day"},
		"no access key":               {editAuthorization(awsKeyID, ""), authz.ReasonMalformedCredential, "not an access key, day"},
		"another end":                 {editAuthorization("aws4_request", "aws4_requesT"), authz.ReasonMalformedCredential, "not an access key, day"},
		"another day":                 {editAuthorization("/20150830/", "/20150831/"), authz.ReasonMalformedCredential, "not that of the signature's date"},
		"another region":              {editAuthorization("us-east-1", "us-east-2"), authz.ReasonAudienceRefused, "awsSigV4.regions"},
		"another service":             {editAuthorization("execute-api", "execute-apj"), authz.ReasonAudienceRefused, "awsSigV4.services"},
		"accepted service":            {editAuthorization("execute-api", "service"), authz.ReasonBadSignature, "does not verify"},
		"unsorted":                    {editAuthorization(names, "host;content-type;x-amz-content-sha256;x-amz-date;x-env"), authz.ReasonMalformedCredential, "SignedHeaders is not"},
		"repeated":                    {editAuthorization(names, "content-type;host;host;x-amz-content-sha256;x-amz-date;x-env"), authz.ReasonMalformedCredential, "SignedHeaders is not"},
		"upper case":                  {editAuthorization("x-env", "x-enV"), authz.ReasonMalformedCredential, "SignedHeaders is not"},
		"empty name":                  {editAuthorization("SignedHeaders=", "SignedHeaders=;"), authz.ReasonMalformedCredential, "SignedHeaders is not"},
		"too many names":              {editAuthorization("SignedHeaders="+names, many), authz.ReasonMalformedCredential, "more than 64"},
		"no host":                     {editAuthorization(";host", ""), authz.ReasonNotCovered, "does not name host"},
		"field left out":              {editAuthorization(";x-env", ""), authz.ReasonBadSignature, "does not verify"},
		"date left out":               {editAuthorization(";x-amz-date", ""), authz.ReasonNotCovered, "leaves out an X-Amz- field"},
		"added X-Amz- field":          {addField("x-amz-target", "Delete"), authz.ReasonNotCovered, "leaves out an X-Amz- field"},
		"absent field":                {func(r *authz.Request) { removeHeader(r, "x-env") }, authz.ReasonBadSignature, "x-env: it is covered, but not in the request"},
		"control byte":                {setField("x-env", "a\nb"), authz.ReasonBadSignature, "x-env: its value holds a control byte"},
		"byte outside ASCII":          {setField("x-env", "é"), authz.ReasonBadSignature, "x-env: its value holds"},
		"two hosts":                   {func(r *authz.Request) { r.Host = "api.example.com,evil.test" }, authz.ReasonBadSignature, "the host is not one host"},
		"method with line break":      {func(r *authz.Request) { r.Method = "GET\n/" }, authz.ReasonBadSignature, "its value holds a control byte"},
		"broken escape":               {func(r *authz.Request) { r.Query += "%" }, authz.ReasonBadSignature, "percent-encoding is broken"},
		"date twice":                  {addField("x-amz-date", date), authz.ReasonAmbiguousCredential, "occurs twice"},
		"date joined":                 {setField("x-amz-date", date+","+date), authz.ReasonMalformedCredential, "X-Amz-Date is not written"},
		"date with a fraction":        {setField("x-amz-date", "20150830T123600.5Z"), authz.ReasonMalformedCredential, "X-Amz-Date is not written"},
		"date in another form":        {setField("x-amz-date", "2015-08-30T12:36:00Z"), authz.ReasonMalformedCredential, "X-Amz-Date is not written"},
		"no date":                     {func(r *authz.Request) { removeHeader(r, "x-amz-date") }, authz.ReasonMalformedCredential, "there is no X-Amz-Date"},
		"Date instead": {func(r *authz.Request) {
			removeHeader(r, "x-amz-date")
			setHeader(r, "date", "Sun, 30 Aug 2015 12:36:00 GMT")
		}, authz.ReasonNotCovered, "Date says when"},
		"too old":               {func(r *authz.Request) { r.Now = r.Now.Add(15*time.Minute + time.Second) }, authz.ReasonClockSkew, "older than maxAge"},
		"from the future":       {func(r *authz.Request) { r.Now = r.Now.Add(-15*time.Minute - time.Second) }, authz.ReasonClockSkew, "in the future"},
		"unknown key":           {editAuthorization(awsKeyID, "AKIDEXAMPLF"), authz.ReasonUnknownKey, "no signing key"},
		"hash of another body":  {func(r *authz.Request) { r.Body.Bytes[0] ^= 1 }, authz.ReasonBodyMismatch, "X-Amz-Content-Sha256"},
		"no body":               {func(r *authz.Request) { r.Body = authz.Body{} }, authz.ReasonBodyMismatch, "X-Amz-Content-Sha256"},
		"body withheld":         {func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }, authz.ReasonBodyUnavailable, "with_request_body"},
		"body cut":              {func(r *authz.Request) { r.Body.State = authz.BodyPartial }, authz.ReasonBodyTooLarge, "only the beginning"},
		"another hash":          {setField("x-amz-content-sha256", strings.Repeat("0", 64)), authz.ReasonBadSignature, "does not verify"},
		"hash in capitals":      {setField("x-amz-content-sha256", strings.Repeat("A", 64)), authz.ReasonMalformedCredential, "neither 64"},
		"empty hash":            {setField("x-amz-content-sha256", ""), authz.ReasonMalformedCredential, "neither 64"},
		"hash twice":            {addField("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), authz.ReasonAmbiguousCredential, "occurs twice"},
		"hash in the query too": {func(r *authz.Request) { r.Query += "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD" }, authz.ReasonAmbiguousCredential, "occurs twice"},
		"chunks":                {setField("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), authz.ReasonAlgorithmRefused, "STREAMING"},
		"payload made unsigned": {setField("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), authz.ReasonBadSignature, "does not verify"},
	})
}

func upperSignature(authorization string) string {
	before, signature, _ := strings.Cut(authorization, "Signature=")
	return before + "Signature=" + strings.ToUpper(signature)
}

// TestSigV4PresignedRefused spoils a presigned URL.
func TestSigV4PresignedRefused(t *testing.T) {
	q := awsOrder()
	q.Presign, q.Expires = true, awsTime.Add(time.Minute)
	wantAWSRefusals(t, q, nil, map[string]awsRefusal{
		"nothing of ours":        {func(r *authz.Request) { r.Query = "X-Amz-Date=20150830T123600Z" }, authz.ReasonNoCredential, "none in the query"},
		"both forms":             {setField("authorization", "AWS4-HMAC-SHA256 Credential=x"), authz.ReasonAmbiguousCredential, "in Authorization and in the query"},
		"no date":                {editQuery("X-Amz-Date=", "X-Amz-Day="), authz.ReasonMalformedCredential, "presigned URL"},
		"no names":               {editQuery("X-Amz-SignedHeaders=", "X-Amz-Signed="), authz.ReasonMalformedCredential, "presigned URL"},
		"no signature":           {editQuery("X-Amz-Signature=", "X-Amz-Sig="), authz.ReasonMalformedCredential, "presigned URL"},
		"name spelt otherwise":   {editQuery("X-Amz-Signature=", "X-Amz-Signatur%65="), authz.ReasonMalformedCredential, "presigned URL"},
		"expiry spelt otherwise": {editQuery("X-Amz-Expires=", "X-Amz-Expire%73="), authz.ReasonMalformedCredential, "presigned URL"},
		"empty expiry":           {editQuery("X-Amz-Expires=60", "X-Amz-Expires="), authz.ReasonMalformedCredential, "presigned URL"},
		"part twice":             {func(r *authz.Request) { r.Query += "&X-Amz-Expires=604800" }, authz.ReasonAmbiguousCredential, "occurs twice"},
		"signature twice":        {func(r *authz.Request) { r.Query += "&X-Amz-Signature=" + strings.Repeat("0", 64) }, authz.ReasonAmbiguousCredential, "occurs twice"},
		"broken credential":      {editQuery("%2Fus-east-1", "%2us-east-1"), authz.ReasonMalformedCredential, "presigned URL"},
		"broken names":           {editQuery("%3Bhost", "%3host"), authz.ReasonMalformedCredential, "presigned URL"},
		"SigV4a":                 {editQuery("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), authz.ReasonAlgorithmRefused, "SigV4a"},
		"another algorithm":      {editQuery("AWS4-HMAC-SHA256", "HMAC"), authz.ReasonAlgorithmRefused, "is not AWS4-HMAC-SHA256"},
		"no expiry":              {editQuery("X-Amz-Expires=60&", ""), authz.ReasonBadSignature, "does not verify"},
		"expiry of nothing":      {editQuery("X-Amz-Expires=60", "X-Amz-Expires=0"), authz.ReasonMalformedCredential, "from 1 to 604800"},
		"expiry of ages":         {editQuery("X-Amz-Expires=60", "X-Amz-Expires=604801"), authz.ReasonMalformedCredential, "from 1 to 604800"},
		"negative expiry":        {editQuery("X-Amz-Expires=60", "X-Amz-Expires=-1"), authz.ReasonMalformedCredential, "from 1 to 604800"},
		"later expiry":           {editQuery("X-Amz-Expires=60", "X-Amz-Expires=61"), authz.ReasonBadSignature, "does not verify"},
		"expired":                {func(r *authz.Request) { r.Now = r.Now.Add(time.Minute) }, authz.ReasonClockSkew, "has expired"},
		"another date":           {editQuery("T123600Z", "T123601Z"), authz.ReasonBadSignature, "does not verify"},
		"another region":         {editQuery("us-east-1", "us-east-2"), authz.ReasonAudienceRefused, "awsSigV4.regions"},
		"token added":            {func(r *authz.Request) { r.Query += "&X-Amz-Security-Token=x" }, authz.ReasonBadSignature, "does not verify"},
		"parameter added":        {func(r *authz.Request) { r.Query += "&a=1" }, authz.ReasonBadSignature, "does not verify"},
		"X-Amz- field added":     {addField("x-amz-date", "20150830T123600Z"), authz.ReasonNotCovered, "leaves out an X-Amz- field"},
		"another body":           {func(r *authz.Request) { r.Body.Bytes[0] ^= 1 }, authz.ReasonBadSignature, "does not verify"},
		"body withheld":          {func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }, authz.ReasonBodyUnavailable, "with_request_body"},
		"payload made unsigned":  {func(r *authz.Request) { r.Query += "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD" }, authz.ReasonBadSignature, "does not verify"},
	})
}

// TestSigV4S3Refused spoils a request whose path is decoded, or taken as it is.
func TestSigV4S3Refused(t *testing.T) {
	q := awsOrder()
	q.Service, q.URL = "s3", "https://bucket.example.com/a%20b//c"
	path := func(text string) func(*authz.Request) { return func(r *authz.Request) { r.Path = text } }
	wantAWSRefusals(t, q, nil, map[string]awsRefusal{
		"slashes merged":     {path("/a%20b/c"), authz.ReasonBadSignature, "does not verify"},
		"encoded slash":      {path("/a%20b/%2Fc"), authz.ReasonBadSignature, "does not verify"},
		"dot segment":        {path("/a%20b/.//c"), authz.ReasonBadSignature, "does not verify"},
		"plus for a space":   {path("/a+b//c"), authz.ReasonBadSignature, "does not verify"},
		"broken escape":      {path("/a%2"), authz.ReasonBadSignature, "percent-encoding is broken"},
		"byte outside ASCII": {path("/é"), authz.ReasonBadSignature, "a byte outside ASCII"},
	})
}

// TestSigV4DateRefused spoils a request that is dated by Date.
func TestSigV4DateRefused(t *testing.T) {
	request := txtar.Parse(testdata(t, "aws-sigv4", "botocore-date.txtar")).Files[0].Data
	for _, c := range []awsRefusal{
		{addField("date", "Sun, 30 Aug 2015 12:36:00 GMT"), authz.ReasonAmbiguousCredential, "occurs twice"},
		{setField("date", "Sun, 30 Aug 2015 12:36:00 +0100"), authz.ReasonMalformedCredential, "not an HTTP date"},
		{setField("date", "Sun, 30 Aug 2015 12:36:01 GMT"), authz.ReasonBadSignature, "does not verify"},
		{setField("date", "Mon, 31 Aug 2015 12:36:00 GMT"), authz.ReasonMalformedCredential, "not that of the signature's date"},
	} {
		r := readRequest(t, request)
		r.Now = awsTime
		c.spoil(r)
		p, err := check(newAWSScheme(t, nil), r)
		wantRefused(t, p, err, c.reason, c.text)
	}
}

// TestSigV4Coverage follows what the scheme requires to be signed.
func TestSigV4Coverage(t *testing.T) {
	q := awsOrder()
	cover := func(names ...string) func(*v1alpha1.SignatureScheme, *Options) {
		return func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Cover = names }
	}
	presigned := q
	presigned.Presign = true
	for name, c := range map[string]struct {
		q    SignRequest
		edit func(*v1alpha1.SignatureScheme, *Options)
		want string // what is not covered
	}{
		"default":               {q, nil, ""},
		"presigned, default":    {presigned, nil, ""},
		"named":                 {q, cover("host", "x-amz-date", "X-Env"), ""},
		"not signed":            {q, cover("host", "x-amz-date", "x-other"), "x-other"},
		"presigned, not signed": {presigned, cover("x-amz-date", "date"), "date"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := check(newAWSScheme(t, c.edit), awsSigned(t, c.q))
			switch {
			case c.want != "":
				wantRefused(t, p, err, authz.ReasonNotCovered, "the signature does not cover "+c.want)
			case err != nil:
				t.Error(err)
			}
		})
	}
}
