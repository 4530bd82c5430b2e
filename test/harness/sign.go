package harness

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// Signer signs requests with hmac-sha256 (RFC 9421). It shares no code with the verifier. Zero fields have defaults.
type Signer struct {
	KeyID   string
	Secret  string
	Label   string    // "sig1"
	Cover   []string  // "@method", "@authority", "@path", "@query", and "content-digest" if the request has that field
	At      time.Time // created; now
	Params  string    // further parameters, such as `;expires=1700000000`; a fresh nonce unless it has one
	Undated bool      // leave created out
}

// Sign returns r with Signature-Input and Signature.
func (s Signer) Sign(r Request) Request {
	if s.Label == "" {
		s.Label = "sig1"
	}
	if s.Cover == nil {
		s.Cover = []string{"@method", "@authority", "@path", "@query"}
		if r.Field("Content-Digest") != "" {
			s.Cover = append(s.Cover, "content-digest")
		}
	}
	if s.At.IsZero() {
		s.At = time.Now()
	}
	if !strings.Contains(s.Params, ";nonce=") {
		s.Params += fmt.Sprintf(";nonce=%q", rand.Text())
	}
	list := "()"
	if len(s.Cover) > 0 {
		list = `("` + strings.Join(s.Cover, `" "`) + `")`
	}
	params := fmt.Sprintf(`%s;created=%d;keyid=%q%s`, list, s.At.Unix(), s.KeyID, s.Params)
	if s.Undated {
		params = fmt.Sprintf(`%s;keyid=%q%s`, list, s.KeyID, s.Params)
	}
	mac := hmac.New(sha256.New, []byte(s.Secret))
	for _, name := range s.Cover {
		fmt.Fprintf(mac, "%q: %s\n", name, component(r, name))
	}
	fmt.Fprintf(mac, "%q: %s", "@signature-params", params)
	return r.With(
		"Signature-Input: "+s.Label+"="+params,
		"Signature: "+s.Label+"=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":",
	)
}

// component returns a covered component's value (RFC 9421 section 2).
func component(r Request, name string) string {
	path, query, _ := strings.Cut(r.Target, "?")
	switch name {
	case "@method":
		return r.Method
	case "@authority":
		return strings.ToLower(r.Field("Host"))
	case "@path":
		return path
	case "@query":
		return "?" + query
	case "@target-uri":
		return "http://" + strings.ToLower(r.Field("Host")) + r.Target
	default:
		return r.Field(name)
	}
}

// ContentDigest returns the Content-Digest field of a body (RFC 9530).
func ContentDigest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "Content-Digest: sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}
