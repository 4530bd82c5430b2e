package sqlstore

import (
	"context"
	"time"
)

// KeyFilter says which keys; its zero value, all.
type KeyFilter struct {
	Namespaces []string // in one of these; nil: in any, empty: in none
	App        string
	Subject    string
	States     []State       // in one of these; nil: in any
	Expiring   time.Duration // not expired, and will be within this time
}

const keyColumns = `k.namespace, k.app, k.name, k.type, k.description, k.digest, COALESCE(k.pepper, ''), k.prefix, k.last_four,
	k.subject, k.signing_id, k.algorithm, k.public_key, k.scopes, k.disabled, k.not_before, k.expires_at, k.revoked_at,
	k.successor, k.created_at, k.updated_at, k.revision`

// lastUsed is a column. A key of the same name that was deleted does not count.
const lastUsed = `(SELECT max(u.last_used) FROM usage u
	WHERE u.namespace = k.namespace AND u.app = k.app AND u.key = k.name AND u.last_used >= k.created_at)`

// columns returns where to scan keyColumns to.
func (k *Key) columns() []any {
	return []any{
		&k.Namespace, &k.App, &k.Name, &k.Type, &k.Description, (*sum)(&k.Digest.Sum), &k.Digest.Pepper, &k.Prefix, &k.LastFour,
		(*optional)(&k.Subject), (*optional)(&k.SigningID), &k.Algorithm, &k.PublicKey, asJSON(&k.Scopes), &k.Disabled,
		(*instant)(&k.NotBefore), (*instant)(&k.ExpiresAt), (*instant)(&k.RevokedAt),
		&k.Successor, (*instant)(&k.CreatedAt), (*instant)(&k.UpdatedAt), &k.Revision,
	}
}

func scanKey(row scanner) (Key, error) {
	var k Key
	err := row.Scan(append(k.columns(), (*instant)(&k.LastUsed))...)
	return k, err
}

func findKey(ctx context.Context, q querier, name KeyName) (Key, error) {
	k, err := one(ctx, q, scanKey, `SELECT `+keyColumns+`, `+lastUsed+` FROM keys k
		WHERE k.namespace = $1 AND k.app = $2 AND k.name = $3`, name.Namespace, name.App, name.Name)
	if err == nil && k.KeyName != name {
		return Key{}, errAnswer
	}
	return k, err
}

func listKeys(ctx context.Context, q querier, filter KeyFilter, now time.Time, after KeyName, limit int) ([]Key, error) {
	var c conditions
	in(&c, "k.namespace", filter.Namespaces)
	c.equal("k.app", filter.App)
	c.equal("k.subject", filter.Subject)
	if after != (KeyName{}) {
		c.add("(k.namespace, k.app, k.name) > (?, ?, ?)", after.Namespace, after.App, after.Name)
	}
	if filter.Expiring > 0 {
		c.add("k.expires_at > ? AND k.expires_at <= ?", instant(now), instant(now.Add(filter.Expiring)))
	}
	if filter.States != nil {
		inState(&c, now, filter.States)
	}
	query := `SELECT ` + keyColumns + `, ` + lastUsed + ` FROM keys k` + c.where() +
		` ORDER BY k.namespace, k.app, k.name` + c.limit(limit)
	return all(ctx, q, scanKey, query, c.args...)
}

// inState asks that the key's State at the time is one of these.
func inState(c *conditions, now time.Time, states []State) {
	if len(states) == 0 {
		c.add("1 = 0")
		return
	}
	args := []any{instant(now), instant(now)}
	for _, s := range states {
		args = append(args, string(s))
	}
	c.add(`CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= ? THEN 'expired'
		WHEN k.disabled THEN 'disabled' WHEN k.not_before > ? THEN 'pending' ELSE 'active' END
		IN (`+marks(len(states))+`)`, args...)
}

// Key returns a key, ErrNotFound if there is none.
func (s *Store) Key(ctx context.Context, name KeyName) (Key, error) {
	return read(ctx, s, func(ctx context.Context, q querier) (Key, error) { return findKey(ctx, q, name) })
}

// Keys returns at most limit keys by namespace, App and name, from the one that follows after; the zero KeyName stands
// for the beginning.
func (s *Store) Keys(ctx context.Context, filter KeyFilter, after KeyName, limit int) ([]Key, error) {
	return read(ctx, s, func(ctx context.Context, q querier) ([]Key, error) {
		return listKeys(ctx, q, filter, s.opts.Now(), after, limit)
	})
}

// NamespaceCount is a number of keys of a namespace.
type NamespaceCount struct {
	Namespace string
	Keys      int64
}

// Expiring returns how many keys are good now and expire within the time, with none in their place, by namespace, those
// with the most keys first. Personal access tokens do not count: they are for a while.
func (s *Store) Expiring(ctx context.Context, within time.Duration) ([]NamespaceCount, error) {
	now := s.opts.Now()
	return read(ctx, s, func(ctx context.Context, q querier) ([]NamespaceCount, error) {
		return all(ctx, q, func(row scanner) (c NamespaceCount, err error) { return c, row.Scan(&c.Namespace, &c.Keys) },
			`SELECT namespace, count(*) FROM keys
			WHERE expires_at > $1 AND expires_at <= $2 AND (not_before IS NULL OR not_before <= $1)
				AND revoked_at IS NULL AND NOT disabled AND successor = '' AND type <> $3
			GROUP BY namespace ORDER BY count(*) DESC, namespace`,
			instant(now), instant(now.Add(within)), PersonalAccessToken)
	})
}

// Key returns a key, ErrNotFound if there is none.
func (tx *Tx) Key(name KeyName) (Key, error) { return findKey(tx.ctx, tx.sql, name) }

// Keys returns keys as [Store.Keys] does.
func (tx *Tx) Keys(filter KeyFilter, after KeyName, limit int) ([]Key, error) {
	return listKeys(tx.ctx, tx.sql, filter, tx.now, after, limit)
}
