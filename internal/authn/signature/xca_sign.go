package signature

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// signXCa signs as Alibaba Cloud API Gateway's clients do. By default it lists X-Ca-Key, X-Ca-Timestamp and X-Ca-Nonce.
// Accept and, with a body, Content-Type are signed even where they are absent, so they are added before a client adds
// its own.
func signXCa(q *SignRequest) (*Signed, error) {
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	out := &Signed{}
	add := func(name, value string) {
		r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(name), Value: value})
		out.Headers = append(out.Headers, authz.Header{Name: name, Value: value})
	}
	addNew := func(name, value string) {
		if _, n := r.Header(strings.ToLower(name)); n == 0 {
			add(name, value)
		}
	}
	addNew("Accept", "*/*")
	if len(q.Body) > 0 {
		addNew("Content-Type", "application/octet-stream")
		if !isForm(r) {
			addNew("Content-MD5", contentMD5(q.Body))
		}
	}
	if err := q.addXCa(add); err != nil {
		return nil, err
	}
	var c claim
	if err := parseListed(r, &c); err != nil {
		return nil, fmt.Errorf("cover: %w", err)
	}
	p := &xCa{}
	base, err := p.appendBase(nil, r, &c)
	if err != nil {
		return nil, err
	}
	sig, err := signWith(xCaAlgorithms, q.Algorithm, q.Key, base)
	if err != nil {
		return nil, err
	}
	add("X-Ca-Signature", base64.StdEncoding.EncodeToString(sig))
	out.Base = string(base)
	return out, nil
}

// addXCa adds what says who signs, when, and what.
func (q *SignRequest) addXCa(add func(name, value string)) error {
	listed := q.Cover
	if len(listed) == 0 {
		listed = v1alpha1.ProfileXCa.Cover()
	}
	signs := func(name string) bool {
		return slices.ContainsFunc(listed, func(l string) bool { return strings.EqualFold(l, name) })
	}
	switch {
	case !q.Expires.IsZero():
		return errors.New("expires: profile x-ca cannot say when a signature expires; leave it out")
	case q.Created.IsZero() && signs(xCaTimestamp):
		return errors.New("created: x-ca-timestamp is signed, so set it")
	case q.Nonce == "" && signs(xCaNonce):
		q.Nonce = rand.Text()
	}
	add("X-Ca-Key", q.KeyID)
	if !q.Created.IsZero() {
		add("X-Ca-Timestamp", strconv.FormatInt(q.Created.UnixMilli(), 10))
	}
	if q.Nonce != "" {
		add("X-Ca-Nonce", q.Nonce)
	}
	for _, m := range xCaMethods {
		if m.algorithm.name == q.Algorithm {
			add("X-Ca-Signature-Method", m.name)
			listed = append(slices.Clip(listed), xCaMethod)
		}
	}
	add("X-Ca-Signature-Headers", strings.Join(listed, ","))
	return nil
}
