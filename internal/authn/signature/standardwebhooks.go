package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// standardWebhooks is the signature of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, section
// "Signature scheme"), and of Svix, whose headers are named svix-…:
//
//	webhook-id: msg_2KWPBgLlAfxdpx2AI54pPJ85f4W
//	webhook-timestamp: 1674087231
//	webhook-signature: v1,K5oZfzN9… v1a,hnO3f9T8…
//
// Each signature is of "<id>.<timestamp>.<body>", in base64: v1 an HMAC-SHA256, v1a an Ed25519 signature. Other versions
// are passed over. A secret is given as its provider shows it, whsec_ and base64; without whsec_ its bytes are the key.
// A retry has the same id and another timestamp, so the id alone is no nonce.
//
// It does not sign method, host, path and query.
type standardWebhooks struct{ webhook }

var (
	errWebhookNames   = fail(authz.ReasonAmbiguousCredential, "the webhook-… and svix-… headers differ")
	errWebhookSize    = malformed("a signature is not base64, or not of its version's length")
	errWebhookID      = malformed("the webhook-id header is not there, or is not of visible ASCII characters without '.'")
	errWebhookVersion = malformed("the webhook-signature header has no v1 or v1a signature")
	errNoWebhookID    = errors.New("nonce: the profile uses it as webhook-id; use visible ASCII characters without '.' and ','")
)

var standardWebhooksProfile = standardWebhooks{webhook{"webhook-signature"}}

var standardWebhooksAlgorithms = []*algorithm{hmacWebhook, pureEd25519}

// hmacWebhook is hmac-sha256 with a secret as its provider shows it.
var hmacWebhook = &algorithm{
	name: hmacSHA256.name,
	fits: func(k *keystore.SigningKey) bool {
		_, ok := webhookSecret(k.Secret)
		return ok && isSecret(k)
	},
	mac: func(given authz.Secret, base []byte) []byte {
		secret, ok := webhookSecret(given)
		if !ok {
			return nil
		}
		return sumHMAC(sha256.New, secret, base)
	},
}

// webhookSecret returns the bytes that a secret stands for, unless they are too few. Padding may be missing.
func webhookSecret(given authz.Secret) (authz.Secret, bool) {
	const fewest = 16
	text, isBase64 := strings.CutPrefix(given.Reveal(), "whsec_")
	if !isBase64 {
		return given, given != ""
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return authz.Secret(b), err == nil && len(b) >= fewest
}

func newStandardWebhooks(*v1alpha1.SignatureScheme) (*format, error) {
	return &format{profile: standardWebhooksProfile, algorithms: standardWebhooksAlgorithms}, nil
}

func (standardWebhooks) parse(r *authz.Request, c *claim) error {
	signatures, found, err := eitherName(r, "webhook-signature", "svix-signature")
	switch {
	case err != nil:
		return err
	case !found:
		return errNoSignature
	}
	id, _, err := eitherName(r, "webhook-id", "svix-id")
	if err != nil {
		return err
	}
	at, _, err := eitherName(r, "webhook-timestamp", "svix-timestamp")
	switch {
	case err != nil:
		return err
	case strings.Contains(id, ","), strings.Contains(at, ","):
		return errFieldTwice // joined by Envoy
	case !isWebhookID(id):
		return errWebhookID
	}
	if c.created, err = unixTime(at); err != nil {
		return err
	}
	c.params = appendMessage(c.params, id, at)
	return c.presentVersions(signatures)
}

// presentVersions reads the list of signatures. The two versions differ in length, so that an HMAC is never taken for
// an Ed25519 signature or the other way round.
func (c *claim) presentVersions(list string) (err error) {
	for entry := range strings.SplitSeq(list, " ") {
		version, text, _ := strings.Cut(entry, ",")
		switch {
		case strings.Contains(text, ","):
			return errFieldTwice // joined by Envoy
		case version == "v1":
			err = c.present(appendSized(c.room(), text, sha256.Size))
		case version == "v1a":
			err = c.present(appendSized(c.room(), text, ed25519.SignatureSize))
		}
		if err != nil {
			return err
		}
	}
	if len(c.signature) == 0 {
		return errWebhookVersion
	}
	return nil
}

// appendSized decodes base64 that stands for size bytes.
func appendSized(dst []byte, text string, size int) ([]byte, error) {
	decoded, ok := appendBase64(dst, text)
	if !ok || len(decoded)-len(dst) != size {
		return nil, errWebhookSize
	}
	return decoded, nil
}

// eitherName returns the value of a field that has two names. Under both it must be the same.
func eitherName(r *authz.Request, standard, svix string) (value string, found bool, err error) {
	value, found, err = oneField(r, standard)
	if err != nil {
		return "", false, err
	}
	other, both, err := oneField(r, svix)
	switch {
	case err != nil:
		return "", false, err
	case !found:
		return other, both, nil
	case both && other != value:
		return "", false, errWebhookNames
	default:
		return value, true, nil
	}
}

// isWebhookID reports whether the id can be told from what follows it in the base.
func isWebhookID(id string) bool {
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '.' || c == ',' {
			return false
		}
	}
	return id != ""
}

// appendMessage appends what stands before the body.
func appendMessage(buf []byte, id, at string) []byte {
	buf = append(append(buf, id...), '.')
	return append(append(buf, at...), '.')
}

// signStandardWebhooks takes the nonce as webhook-id, and makes one up if there is none.
func signStandardWebhooks(q *SignRequest) (*Signed, error) {
	id := q.Nonce
	if id == "" {
		id = "msg_" + rand.Text()
	}
	if !isWebhookID(id) {
		return nil, errNoWebhookID
	}
	at, err := q.timestamp()
	if err != nil {
		return nil, err
	}
	base, sig, err := q.signBody(standardWebhooksAlgorithms, appendMessage(nil, id, at))
	if err != nil {
		return nil, err
	}
	version := "v1"
	if len(sig) == ed25519.SignatureSize {
		version = "v1a"
	}
	return &Signed{
		Headers: []authz.Header{
			{Name: "webhook-id", Value: id},
			{Name: "webhook-timestamp", Value: at},
			{Name: "webhook-signature", Value: version + "," + base64.StdEncoding.EncodeToString(sig)},
		},
		Base: string(base),
	}, nil
}
