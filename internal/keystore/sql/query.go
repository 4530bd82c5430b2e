package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// scanner is a row.
type scanner interface{ Scan(columns ...any) error }

// all returns what scan makes of each row.
func all[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer func() { _ = rows.Close() }() // Err has told
	var list []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, unavailable(err)
		}
		list = append(list, one)
	}
	return list, unavailable(rows.Err())
}

// one returns what scan makes of the only row; ErrNotFound if there is none.
func one[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	found, err := scan(q.QueryRowContext(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return found, ErrNotFound
	}
	return found, unavailable(err)
}

// exec carries out a statement and returns how many rows it touched.
func exec(ctx context.Context, q querier, statement string, args ...any) (int64, error) {
	result, err := q.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, unavailable(err)
	}
	n, err := result.RowsAffected()
	return n, unavailable(err)
}

// conditions are what a query asks of a row: all of them.
type conditions struct {
	terms []string
	args  []any
}

// add adds a term in which each ? stands for the next of args.
func (c *conditions) add(term string, args ...any) { c.terms = append(c.terms, c.bind(term, args...)) }

// bind numbers each ? of the text and takes its argument.
func (c *conditions) bind(text string, args ...any) string {
	var b strings.Builder
	for part := range strings.SplitAfterSeq(text, "?") {
		if bare, asks := strings.CutSuffix(part, "?"); asks {
			c.args, args = append(c.args, args[0]), args[1:]
			b.WriteString(bare + "$" + strconv.Itoa(len(c.args)))
			continue
		}
		b.WriteString(part)
	}
	return b.String()
}

// in asks that the column has one of the values; nil stands for any.
func in(c *conditions, column string, values []string) {
	switch {
	case values == nil:
	case len(values) == 0:
		c.add("1 = 0")
	default:
		args := make([]any, len(values))
		for i, v := range values {
			args[i] = v
		}
		c.add(column+" IN ("+marks(len(values))+")", args...)
	}
}

// marks returns n question marks: ?, ?, ?.
func marks(n int) string { return strings.Join(slices.Repeat([]string{"?"}, n), ", ") }

// equal asks that the column has the value; empty stands for any.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// where returns the WHERE clause, with a space before it; empty if nothing is asked.
func (c *conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

// limit returns the LIMIT clause.
func (c *conditions) limit(n int) string { return c.bind(" LIMIT ?", n) }

// insert inserts rows, some at a time. into is the statement up to VALUES, then what follows the rows. It returns how many
// rows it touched.
func insert(ctx context.Context, q querier, together int, into string, rows [][]any, then string) (touched int64, err error) {
	var statement *sql.Stmt // for as many rows as prepared
	prepared := 0
	for some := range slices.Chunk(rows, together) {
		if len(some) != prepared {
			prepared = len(some)
			if statement, err = q.PrepareContext(ctx, into+" VALUES "+tuples(prepared, len(some[0]))+" "+then); err != nil {
				return touched, unavailable(err)
			}
			defer func() { _ = statement.Close() }() // it ends with the transaction
		}
		result, err := statement.ExecContext(ctx, slices.Concat(some...)...)
		if err != nil {
			return touched, unavailable(err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return touched, unavailable(err)
		}
		touched += n
	}
	return touched, nil
}

// tuples returns the places of so many rows: ($1, $2), ($3, $4).
func tuples(rows, columns int) string {
	var c conditions
	return c.bind(strings.Join(slices.Repeat([]string{"(" + marks(columns) + ")"}, rows), ", "), make([]any, rows*columns)...)
}
