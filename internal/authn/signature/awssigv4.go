package signature

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// awsSigV4 is AWS Signature Version 4, in the Authorization field or in the query of a presigned URL.
//
// Sources: AWS IAM User Guide, "Create a signed AWS API request"; Amazon S3 API Reference, "Authenticating Requests";
// the test suite of aws-c-auth; and, where these are silent, what botocore and the AWS SDKs send.
//
// Signed are method, host, path, query, time, region and service, the fields in SignedHeaders and, unless the payload is
// UNSIGNED-PAYLOAD, the body. All X-Amz- fields must be signed but X-Amz-Content-Sha256, which stands in the base by
// itself, and X-Amz-Security-Token, which some clients add afterwards and which means nothing here.
//
// Its clients can sign all that matters, but have no nonce: the same request, signed twice within one second, is a
// replay, and a presigned URL counts once, unless the scheme sets replay: Allow. maxAge ends a presigned URL that would
// live longer.
//
// What is signed is not the text of the target but what it means, so someone in between can write it otherwise, and an
// upstream should not let much depend on how it is written. Parameters are sorted, by their values too: which of two values
// of one parameter came first is not signed, nor whether an empty value has its '='. What need not be percent-encoded may
// be or not: a ';' in the query, and for s3 in the path, is the same as %3B. And clients do not agree about '+' in the
// query: some sign a plus, some a space, and both count.
type awsSigV4 struct {
	regions, services []string
	authority         string // what clients call the host; empty: what they sent
}

const (
	sigV4Name       = "AWS4-HMAC-SHA256"
	sigV4Terminator = "aws4_request"
	sigV4Time       = "20060102T150405Z"
	sigV4MaxExpires = 7 * 24 * 60 * 60 // seconds

	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// presignedDate stands among the covered components of a presigned URL, for its time.
var presignedDate = component{name: "@query-param", flags: flagName, arg: "X-Amz-Date"}

var (
	errSigV4None      = fmt.Errorf("%w: no AWS signature in Authorization, none in the query", authz.ErrNoCredential)
	errSigV4Both      = fail(authz.ReasonAmbiguousCredential, "AWS signatures in Authorization and in the query: one must go")
	errSigV4Several   = fail(authz.ReasonAmbiguousCredential, "Authorization holds an AWS signature and something else")
	errSigV4Twice     = fail(authz.ReasonAmbiguousCredential, "a part of the AWS signature occurs twice")
	errSigV4Algorithm = fail(authz.ReasonAlgorithmRefused, "the algorithm of the AWS signature is not AWS4-HMAC-SHA256")
	errSigV4a         = fail(authz.ReasonAlgorithmRefused, "AWS4-ECDSA-P256-SHA256 (SigV4a) is not supported: sign with AWS4-HMAC-SHA256 for one region")
	errSigV4Parts     = malformed("the AWS signature is not Credential, SignedHeaders and Signature, each once, none empty")
	errSigV4Query     = malformed("the query is not that of a presigned URL: X-Amz-Algorithm, -Credential, -Date, -SignedHeaders and -Signature, none empty, their names not percent-encoded")
	errSigV4Scope     = malformed("Credential is not an access key, day, region, service and aws4_request with '/' between them")
	errSigV4Day       = malformed("the day in Credential is not that of the signature's date")
	errSigV4Region    = fail(authz.ReasonAudienceRefused, "the signature is for a region that is not in awsSigV4.regions")
	errSigV4Service   = fail(authz.ReasonAudienceRefused, "the signature is for a service that is not in awsSigV4.services")
	errSigV4Headers   = malformed("SignedHeaders is not a list of names in lower case and sorted, each once, with ';' between them")
	errSigV4Host      = fail(authz.ReasonNotCovered, "SignedHeaders does not name host")
	errSigV4Amz       = fail(authz.ReasonNotCovered, "SignedHeaders leaves out an X-Amz- field that the request has")
	errSigV4Date      = malformed("X-Amz-Date is not written as 20060102T150405Z")
	errSigV4HTTPDate  = malformed("there is no X-Amz-Date, and Date is not an HTTP date in GMT")
	errSigV4DateOpen  = fail(authz.ReasonNotCovered, "Date says when the request was signed, but SignedHeaders does not name it")
	errSigV4Expires   = malformed("X-Amz-Expires is not a number of seconds from 1 to 604800")
	errSigV4Payload   = malformed("X-Amz-Content-Sha256 is neither 64 lower-case hexadecimal digits nor UNSIGNED-PAYLOAD")
	errSigV4Streaming = fail(authz.ReasonAlgorithmRefused, "payloads signed in chunks (STREAMING-…) are not supported: sign the payload as a whole")
	errSigV4Body      = fail(authz.ReasonBodyMismatch, "the body does not have the hash in X-Amz-Content-Sha256")
)

func newAWSSigV4(spec *v1alpha1.SignatureScheme) (*format, error) {
	o := spec.AWSSigV4
	if o == nil || len(o.Regions) == 0 || len(o.Services) == 0 {
		return nil, errors.New("awsSigV4: name at least one region and one service")
	}
	p := &awsSigV4{regions: o.Regions, services: o.Services}
	if spec.External != nil {
		p.authority = spec.External.Authority
	}
	f := &format{profile: p, algorithms: []*algorithm{newSigV4()}}
	f.required = requireNames(spec.Cover, map[string][]string{"host": {":authority"}, "x-amz-date": {"date"}})
	for i := range f.required {
		if q := &f.required[i]; q.anyOf[0].name == "x-amz-date" {
			q.anyOf = append(q.anyOf, presignedDate)
		}
	}
	return f, nil
}

// parse leaves date and credential scope, which are lines of the base, in c.params.
func (p *awsSigV4) parse(r *authz.Request, c *claim) error {
	a, err := readSigV4(r)
	if err != nil {
		return err
	}
	switch {
	case a.algorithm == "AWS4-ECDSA-P256-SHA256":
		return errSigV4a
	case a.algorithm != sigV4Name:
		return errSigV4Algorithm
	case len(a.credential)+len(a.signedHeaders) > maxFieldBytes:
		return errFieldsLarge
	}
	c.algorithm = hmacSHA256.name
	if c.signature, err = appendHexSum(c.signature, a.signature); err != nil {
		return err
	}
	if err := c.coverSignedHeaders(a.signedHeaders); err != nil {
		return err
	}
	if err := c.setSigV4Times(r, a); err != nil {
		return err
	}
	if err := p.readCredential(c, a.credential); err != nil {
		return err
	}
	if a.presigned {
		c.covered = append(c.covered, presignedDate)
	}
	return checkAmzFields(r, c)
}

// checkAmzFields makes sure that the X-Amz- fields are signed, and that the payload's hash is one.
func checkAmzFields(r *authz.Request, c *claim) error {
	for i := range r.Headers {
		switch name := r.Headers[i].Name; {
		case !strings.HasPrefix(name, "x-amz-"), name == "x-amz-content-sha256", name == "x-amz-security-token":
		case !c.covers(name):
			return errSigV4Amz
		}
	}
	hash, n := statedPayload(r)
	switch {
	case n == 0, n == 1 && hash == unsignedPayload:
		return nil
	case n > 1:
		return errSigV4Twice
	case strings.HasPrefix(hash, "STREAMING-"):
		return errSigV4Streaming
	}
	var room [sha256.Size]byte
	if _, err := appendHexSum(room[:0], hash); err != nil {
		return errSigV4Payload
	}
	return nil
}

// statedPayload returns what the request says its payload's hash is, and how often it says so. Presigned URLs say it in
// the query.
func statedPayload(r *authz.Request) (hash string, count int) {
	hash, count = r.Header("x-amz-content-sha256")
	for param := range strings.SplitSeq(r.Query, "&") {
		if value, ok := strings.CutPrefix(param, "X-Amz-Content-Sha256="); ok {
			hash = value
			count++
		}
	}
	return trim(hash), count
}

// bindsBody: without a stated hash the base holds the hash of the body, but for presigned URLs of S3.
func (p *awsSigV4) bindsBody(r *authz.Request, c *claim) bool {
	if hash, n := statedPayload(r); n > 0 {
		return hash != unsignedPayload
	}
	return !isPresignedS3(c)
}

func (p *awsSigV4) checkBody(r *authz.Request, body []byte) error {
	hash, n := statedPayload(r)
	if n == 0 {
		return nil
	}
	var room [sha256.Size]byte
	claimed, err := appendHexSum(room[:0], hash)
	if err != nil || subtle.ConstantTimeCompare(claimed, sum256(body)) != 1 {
		return errSigV4Body
	}
	return nil
}

func (p *awsSigV4) challenge(realm string) authz.Challenge {
	return authz.Challenge{Scheme: sigV4Name, Params: []authz.Field{
		{Name: "realm", Value: realm},
		{Name: "region", Value: strings.Join(p.regions, " ")},
		{Name: "service", Value: strings.Join(p.services, " ")},
	}}
}
