package jwt

import (
	"cmp"
	"context"
	"crypto/x509"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/postern-auth/postern/internal/authz"
)

// KeySets are the remote key sets of all schemes: one for each address and each discovered issuer, shared by the
// schemes that name it, and kept across reloads. A reload compiles the new schemes, puts them in use, and calls
// [KeySets.Retain] with them.
type KeySets struct {
	web     *web
	log     *slog.Logger
	context context.Context // of every fetch
	quit    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // never taken by checks
	remotes map[string]*remote
}

// KeySetsOptions may all be left out.
type KeySetsOptions struct {
	Logger *slog.Logger   // default: none
	Roots  *x509.CertPool // whom to trust for https; default: the system's roots
}

// NewKeySets makes an empty manager. Close it in the end.
func NewKeySets(opts KeySetsOptions) *KeySets {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	m := &KeySets{web: newWeb(opts.Roots), log: opts.Logger, remotes: map[string]*remote{}}
	m.context, m.quit = context.WithCancel(context.Background())
	return m
}

// fetch returns the key set at an address.
func (m *KeySets) fetch(address string) source {
	if m == nil {
		return offline{}
	}
	name, _, _ := strings.Cut(address, "?")
	return m.open("address "+address, name, m.web.keySet(address))
}

// discover returns the key set of an OpenID Connect issuer.
func (m *KeySets) discover(issuer string) source {
	if m == nil {
		return offline{}
	}
	return m.open("issuer "+issuer, metadataAddress(issuer), m.web.discovered(issuer))
}

// open returns the key set of that id; the first time, it starts to fetch it.
func (m *KeySets) open(id, name string, load loader) *remote {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.remotes[id]; s != nil {
		return s
	}
	ctx, quit := context.WithCancel(m.context)
	s := newRemote(name, load, m.log, quit)
	m.remotes[id] = s
	m.running.Go(func() { s.run(ctx) })
	return s
}

// Retain stops the key sets that none of these schemes uses; authenticators of other kinds are passed over. Schemes
// that are left out keep the keys they have and find no newer ones. It must not run at the same time as New.
func (m *KeySets) Retain(inUse ...authz.Authenticator) {
	used := map[source]bool{}
	for _, a := range inUse {
		if s, ok := a.(*Scheme); ok {
			for i := range s.issuers {
				used[s.issuers[i].keys] = true
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.remotes, func(_ string, s *remote) bool {
		if used[s] {
			return false
		}
		s.quit()
		return true
	})
}

// Stats tells about each key set, in order of their sources.
func (m *KeySets) Stats() []KeySetStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]KeySetStats, 0, len(m.remotes))
	for _, s := range m.remotes {
		all = append(all, s.stats())
	}
	slices.SortFunc(all, func(a, b KeySetStats) int { return cmp.Compare(a.Source, b.Source) })
	return all
}

// Close ends all fetching and waits for it to end.
func (m *KeySets) Close() {
	m.quit()
	m.running.Wait()
}
