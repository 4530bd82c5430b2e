package signature

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Bounds on what a stranger makes us read.
const (
	maxFieldBytes = 8 << 10
	maxSignatures = 10
	maxComponents = 64
	maxSearched   = 128 << 10 // bytes of query and fields, for members and parameters of them
)

// profile is one signing format. It is immutable, and trusts nothing that it reads: the scheme's phases decide.
type profile interface {
	// parse reads the one signature that counts into c. Its error wraps authz.ErrNoCredential if the request carries
	// none, and is a Failure otherwise.
	parse(r *authz.Request, c *claim) error

	// base appends the bytes that were signed, in the n-th reading of the request, to buf. more reports that there
	// is a reading after it, to be tried if this one does not verify.
	base(r *authz.Request, c *claim, n int, buf []byte) (base []byte, more bool, err error)

	// bindsBody reports whether what was signed binds the body; checkBody then compares the body with it. A profile
	// whose base holds the body, or a digest it computes, has compared it by then.
	bindsBody(r *authz.Request, c *claim) bool
	checkBody(r *authz.Request, body []byte) error

	// challenge is what a caller needs to know to sign for this scheme.
	challenge(realm string) authz.Challenge
}

// format is a profile, and what its scheme needs to know of it.
type format struct {
	profile    profile
	algorithms []*algorithm  // all that the profile knows, the preferred first
	required   []requirement // what must be signed
	nonce      bool          // a nonce is required
	timeless   bool          // nothing in a request says when it was signed
}

// profiles holds every profile: how a scheme of it is made, and how a request is signed in it.
var profiles = map[v1alpha1.SignatureProfile]struct {
	read func(*v1alpha1.SignatureScheme) (*format, error)
	sign func(*SignRequest) (*Signed, error)
}{
	v1alpha1.ProfileRFC9421:          {newRFC9421, signRFC9421},
	v1alpha1.ProfileXCa:              {newXCa, signXCa},
	v1alpha1.ProfileAWSSigV4:         {newAWSSigV4, signAWSSigV4},
	v1alpha1.ProfileCavage:           {newCavage, signCavage},
	v1alpha1.ProfileKong:             {newKong, signKong},
	v1alpha1.ProfileAPISIX:           {newAPISIX, signAPISIX},
	v1alpha1.ProfileStripe:           {newStripe, signStripe},
	v1alpha1.ProfileGitHub:           {newGitHub, signGitHub},
	v1alpha1.ProfileStandardWebhooks: {newStandardWebhooks, signStandardWebhooks},
	v1alpha1.ProfileSlack:            {newSlack, signSlack},
	v1alpha1.ProfileTemplate:         {newTemplate, signTemplate},
}

// requireNames requires each of the names to be covered. instead says what may stand in for a name.
func requireNames(cover []string, instead map[string][]string) []requirement {
	var required []requirement
	for _, name := range cover {
		name = strings.ToLower(name)
		q := requirement{missing: authz.Fail(authz.ReasonNotCovered, fmt.Errorf("the signature does not cover %s", name))}
		for _, n := range append([]string{name}, instead[name]...) {
			q.anyOf = append(q.anyOf, component{name: n})
		}
		required = append(required, q)
	}
	return required
}

// requirement is something that must be signed: any one of the components does.
type requirement struct {
	anyOf   []component
	missing *authz.Failure
}

func (q *requirement) metBy(c *claim) bool {
	for i := range q.anyOf {
		if slices.ContainsFunc(c.covered, func(k component) bool { return k.same(&q.anyOf[i]) }) {
			return true
		}
	}
	return false
}

// claim is a signature as presented, before any of it is believed. Its strings alias the request.
type claim struct {
	keyID     string
	algorithm string // as the signer names it; may be empty
	tag       string
	nonce     string
	created   time.Time // zero: absent
	expires   time.Time // zero: absent
	signature []byte
	others    [][]byte // more signatures of the same bytes, of which one suffices
	covered   []component
	params    []byte // the covered components and parameters in their canonical form
	refused   error  // why it cannot be used, if it is the one that counts
}

// cover adds a component that has nothing but a name.
func (c *claim) cover(name string) { c.covered = append(c.covered, component{name: name}) }

// covers reports whether the name is covered.
func (c *claim) covers(name string) bool {
	return slices.ContainsFunc(c.covered, func(k component) bool { return k.name == name && k.flags == 0 })
}

// reset empties the claim and keeps its memory.
func (c *claim) reset() {
	clear(c.covered)
	*c = claim{signature: c.signature[:0], covered: c.covered[:0], params: c.params[:0]}
}

// work is the memory of one verification.
type work struct {
	claim claim
	keys  []candidate
	base  []byte
	mark  []byte // what replay remembers
}

var works = sync.Pool{New: func() any { return new(work) }}

func newWork() *work { return works.Get().(*work) }

// release returns w to the pool, without the strings that alias the request.
func (w *work) release() {
	w.claim.reset()
	clear(w.keys)
	w.keys, w.base, w.mark = w.keys[:0], w.base[:0], w.mark[:0]
	works.Put(w)
}
