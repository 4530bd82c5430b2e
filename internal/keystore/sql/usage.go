package sqlstore

import (
	"context"
	"slices"
	"strings"
)

// UsageFilter says which counts; its zero value, all.
type UsageFilter struct {
	Namespaces        []string // in one of these; nil: in any, empty: in none
	App, Key          string
	FirstDay, LastDay string // YYYY-MM-DD, both included; empty: no bound
	ByApp             bool   // adds up the keys of each App
}

// UsagePlace is where a page of counts ends.
type UsagePlace struct {
	Day string
	KeyName
}

// FlushUsage adds counts, each of another key and day, to those in the database: all or, after an error, none that is
// known of.
func (s *Store) FlushUsage(ctx context.Context, counts []UsageCount) error {
	if !s.prepared.Load() {
		return ErrNotPrepared
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	tx, err := s.db.write.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing once it is committed
	// Replicas that flush the same keys take their locks in one order, so that none waits for one that waits for it.
	counts = slices.SortedFunc(slices.Values(counts), func(a, b UsageCount) int {
		return strings.Compare(a.String()+" "+a.Day, b.String()+" "+b.Day)
	})
	rows := make([][]any, len(counts))
	for i, u := range counts {
		rows[i] = []any{u.Namespace, u.App, u.Name, u.Day, u.Requests, instant(u.LastUsed)}
	}
	_, err = insert(ctx, tx, s.db.together, `INSERT INTO usage (namespace, app, key, day, requests, last_used)`, rows,
		`ON CONFLICT (namespace, app, key, day) DO UPDATE SET requests = usage.requests + excluded.requests,
			last_used = CASE WHEN usage.last_used < excluded.last_used THEN excluded.last_used ELSE usage.last_used END`)
	if err != nil {
		return err
	}
	return unavailable(tx.Commit())
}

func scanUsage(row scanner) (UsageCount, error) {
	var u UsageCount
	err := row.Scan(&u.Namespace, &u.App, &u.Name, &u.Day, &u.Requests, (*instant)(&u.LastUsed))
	return u, err
}

// Usage returns at most limit counts, the latest day first, then by key, from the one that follows after; the zero
// UsagePlace stands for the beginning. By App, names of keys are empty.
func (s *Store) Usage(ctx context.Context, filter UsageFilter, after UsagePlace, limit int) ([]UsageCount, error) {
	var c conditions
	in(&c, "namespace", filter.Namespaces)
	c.equal("app", filter.App)
	c.equal("key", filter.Key)
	if filter.FirstDay != "" {
		c.add("day >= ?", filter.FirstDay)
	}
	if filter.LastDay != "" {
		c.add("day <= ?", filter.LastDay)
	}
	columns, group := `namespace, app, key, day, requests, last_used`, ``
	if filter.ByApp {
		columns, group = `namespace, app, '' AS key, day, CAST(sum(requests) AS BIGINT), max(last_used)`, ` GROUP BY day, namespace, app`
	}
	if after.Day != "" {
		place := "(day < ? OR day = ? AND (namespace, app, key) > (?, ?, ?))"
		args := []any{after.Day, after.Day, after.Namespace, after.App, after.Name}
		if filter.ByApp {
			place, args = "(day < ? OR day = ? AND (namespace, app) > (?, ?))", args[:4]
		}
		c.add(place, args...)
	}
	order := ` ORDER BY day DESC, namespace, app` + map[bool]string{false: `, key`}[filter.ByApp]
	query := `SELECT ` + columns + ` FROM usage` + c.where() + group + order + c.limit(limit)
	return read(ctx, s, func(ctx context.Context, q querier) ([]UsageCount, error) {
		return all(ctx, q, scanUsage, query, c.args...)
	})
}
