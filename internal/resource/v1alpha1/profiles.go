package v1alpha1

import (
	"slices"
	"time"
)

// profileFacts is what a resource may say of one signing profile, and what counts where it does not.
type profileFacts struct {
	algorithms []string // accepted by default, the preferred first
	weak       []string // accepted only where they are named
	cover      []string // required by default
	derived    []string // what cover may name beside header fields; nil: cover cannot be set
	clockSkew  time.Duration
	maxAge     time.Duration
	keyless    bool   // requests name no key: the scheme names an app
	unsigned   string // what its clients cannot sign; empty: nothing of importance
}

// facts holds them for every profile. The windows are those that the profile's own servers allow, but for no clock is it
// ordinary to be more than five minutes ahead: while Redis begins anew, signatures are refused for that long.
var facts = map[SignatureProfile]profileFacts{
	ProfileRFC9421: {
		algorithms: []string{algorithmHMAC, "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256"},
		cover:      []string{"@method", "@authority", "@path", "@query"},
		derived:    []string{"@method", "@authority", "@scheme", "@target-uri", "@request-target", "@path", "@query"},
		clockSkew:  DefaultClockSkew, maxAge: DefaultMaxAge,
	},
	ProfileXCa: {
		algorithms: []string{algorithmHMAC}, weak: []string{algorithmHMACSHA1},
		cover:     []string{"x-ca-key", "x-ca-timestamp", "x-ca-nonce"},
		derived:   []string{},
		clockSkew: 5 * time.Minute, maxAge: 15 * time.Minute,
		unsigned: "the host, unless cover names it and clients list it",
	},
	ProfileAWSSigV4: {
		algorithms: []string{algorithmHMAC},
		cover:      []string{"host", "x-amz-date"},
		derived:    []string{},
		clockSkew:  5 * time.Minute, maxAge: 15 * time.Minute,
	},
	ProfileCavage: {
		algorithms: []string{algorithmHMAC, algorithmHMACSHA512, "ed25519", "ecdsa-sha256", "rsa-sha256", "rsa-sha512"},
		weak:       []string{algorithmHMACSHA1, "rsa-sha1"},
		cover:      []string{"(request-target)", "host", "date"},
		derived:    []string{"(request-target)", "(created)", "(expires)"},
		clockSkew:  DefaultClockSkew, maxAge: DefaultMaxAge,
	},
	ProfileKong: {
		algorithms: []string{algorithmHMAC, algorithmHMACSHA384, algorithmHMACSHA512}, weak: []string{algorithmHMACSHA1},
		cover:     []string{"@request-target", "date"},
		derived:   []string{"@request-target"},
		clockSkew: 5 * time.Minute, maxAge: 5 * time.Minute,
		unsigned: "the host, unless cover names it and clients list it",
	},
	ProfileAPISIX: {
		algorithms: []string{algorithmHMAC, algorithmHMACSHA512}, weak: []string{algorithmHMACSHA1},
		cover:     []string{"@request-target", "date"},
		derived:   []string{"@request-target"},
		clockSkew: 5 * time.Minute, maxAge: 5 * time.Minute,
		unsigned: "the host, unless cover names it and clients list it",
	},
	ProfileStripe: {
		algorithms: []string{algorithmHMAC}, clockSkew: 5 * time.Minute, maxAge: 5 * time.Minute, keyless: true,
		unsigned: "method, host, path and query",
	},
	ProfileGitHub: {
		algorithms: []string{algorithmHMAC}, clockSkew: 0, maxAge: 24 * time.Hour, keyless: true,
		unsigned: "method, host, path, query and the time",
	},
	ProfileStandardWebhooks: {
		algorithms: []string{algorithmHMAC, "ed25519"}, clockSkew: 5 * time.Minute, maxAge: 5 * time.Minute, keyless: true,
		unsigned: "method, host, path and query",
	},
	ProfileSlack: {
		algorithms: []string{algorithmHMAC}, clockSkew: 5 * time.Minute, maxAge: 5 * time.Minute, keyless: true,
		unsigned: "method, host, path and query",
	},
	ProfileTemplate: {
		algorithms: []string{algorithmHMAC, algorithmHMACSHA384, algorithmHMACSHA512},
		cover:      []string{"method", "host", "path", "query", "timestamp", "body"},
		derived:    []string{"method", "host", "path", "query", "timestamp", "nonce", "body"},
		clockSkew:  DefaultClockSkew, maxAge: DefaultMaxAge,
	},
}

// The algorithms that verify with a secret.
const (
	algorithmHMAC       = "hmac-sha256"
	algorithmHMACSHA1   = "hmac-sha1"
	algorithmHMACSHA384 = "hmac-sha384"
	algorithmHMACSHA512 = "hmac-sha512"
)

// Profiles lists the signing profiles, in the order of their names.
func Profiles() []SignatureProfile {
	all := make([]SignatureProfile, 0, len(facts))
	for p := range facts {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// everyAlgorithm lists the algorithms of all profiles.
func everyAlgorithm() []string {
	var all []string
	for _, p := range facts {
		all = slices.Concat(all, p.algorithms, p.weak)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Cover returns what a scheme of the profile requires to be signed where it does not say.
func (p SignatureProfile) Cover() []string { return slices.Clone(facts[p].cover) }

// Algorithms returns those that a scheme of the profile accepts where it does not say.
func (p SignatureProfile) Algorithms() []string { return slices.Clone(facts[p].algorithms) }

// Keyless reports whether the profile's requests name no key, so that a scheme must name an App.
func (p SignatureProfile) Keyless() bool { return facts[p].keyless }

// Unsigned says what of a request the profile's clients cannot sign, "" if they can sign all that matters.
func (p SignatureProfile) Unsigned() string { return facts[p].unsigned }
