package signature

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// signAWSSigV4 signs with AWS Signature Version 4. It covers host, Content-Type and every X-Amz- field that is there, and
// what q.Cover names beside them. In the headers' form it adds the time and the payload's hash.
func signAWSSigV4(q *SignRequest) (*Signed, error) {
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	if err := q.checkSigV4(r); err != nil {
		return nil, err
	}
	out := &Signed{}
	add := func(name, value string) {
		out.Headers = append(out.Headers, authz.Header{Name: name, Value: value})
		r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(name), Value: value})
	}
	date := q.Created.UTC().Format(sigV4Time)
	if !q.Presign {
		add("X-Amz-Date", date)
		if _, n := r.Header("x-amz-content-sha256"); n == 0 {
			add("X-Amz-Content-Sha256", hex.EncodeToString(sum256(q.Body)))
		}
	}
	scope := strings.Join([]string{date[:len("20060102")], q.Region, q.Service, sigV4Terminator}, "/")
	c := &claim{params: []byte(date + "\n" + scope)}
	names := q.sigV4Fields(r)
	for _, name := range names {
		c.cover(name)
	}
	credential, signedHeaders := q.KeyID+"/"+scope, strings.Join(names, ";")
	if q.Presign {
		c.covered = append(c.covered, presignedDate)
		r.Query = strings.TrimPrefix(r.Query+"&"+q.presignedParams(date, credential, signedHeaders), "&")
	}
	base, _, err := (&awsSigV4{}).base(r, c, 0, nil)
	if err != nil {
		return nil, err
	}
	sum, err := signWith([]*algorithm{newSigV4()}, q.Algorithm, q.Key, base)
	if err != nil {
		return nil, err
	}
	out.Base = string(base)
	if q.Presign {
		out.URL = r.Scheme + "://" + r.Host + r.Path + "?" + r.Query + "&X-Amz-Signature=" + hex.EncodeToString(sum)
		return out, nil
	}
	add("Authorization", fmt.Sprintf("%s Credential=%s, SignedHeaders=%s, Signature=%x", sigV4Name, credential, signedHeaders, sum))
	return out, nil
}

// checkSigV4 reports what cannot be signed in this format.
func (q *SignRequest) checkSigV4(r *authz.Request) error {
	_, dates := r.Header("x-amz-date")
	_, signatures := r.Header("authorization")
	switch lifetime := q.Expires.Sub(q.Created); {
	case q.KeyID == "" || !isText(q.KeyID) || strings.ContainsAny(q.KeyID, ", \t"):
		return errors.New("keyid: name an access key, without blanks and commas")
	case q.Region == "" || q.Service == "" || strings.ContainsAny(q.Region+q.Service, "/, \t"):
		return errors.New("region and service: name both, such as us-east-1 and execute-api")
	case q.Created.IsZero():
		return errors.New("created: is needed, for the format cannot do without")
	case !q.Expires.IsZero() && !q.Presign:
		return errors.New("expires: leave it out, for only presigned URLs expire")
	case !q.Expires.IsZero() && (lifetime < time.Second || lifetime > sigV4MaxExpires*time.Second):
		return errors.New("expires: must be from a second to seven days after created")
	case dates > 0 || signatures > 0:
		return errors.New("headers: leave out X-Amz-Date and Authorization, for signing writes them")
	default:
		return nil
	}
}

// sigV4Fields returns the names of the fields to sign.
func (q *SignRequest) sigV4Fields(r *authz.Request) []string {
	names := []string{"host"}
	for _, h := range r.Headers {
		if h.Name == "content-type" || strings.HasPrefix(h.Name, "x-amz-") {
			names = append(names, h.Name)
		}
	}
	for _, name := range q.Cover {
		if name != "x-amz-date" || !q.Presign {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (q *SignRequest) presignedParams(date, credential, signedHeaders string) string {
	text := "X-Amz-Algorithm=" + sigV4Name + "&X-Amz-Credential=" + url.QueryEscape(credential) + "&X-Amz-Date=" + date
	if !q.Expires.IsZero() {
		text += fmt.Sprintf("&X-Amz-Expires=%d", int(q.Expires.Sub(q.Created)/time.Second))
	}
	return text + "&X-Amz-SignedHeaders=" + url.QueryEscape(signedHeaders)
}
