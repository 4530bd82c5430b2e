package sqlstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/postern-auth/postern/internal/keystore"
)

// BenchmarkImport stores keys in batches as ImportKeys does.
func BenchmarkImport(b *testing.B) {
	file := filepath.Join(b.TempDir(), "keys.db")
	for name, o := range map[string]Options{"SQLite": {File: file}, "PostgreSQL": {DSN: newDatabase(b)}} {
		b.Run(name, func(b *testing.B) {
			s := open(b, o)
			app := AppName{"shop", fmt.Sprint("n", b.N)}
			withApp(b, s, app)
			b.ResetTimer()
			fill(b, s, app, b.N)
		})
	}
}

// fill stores n keys of the App.
func fill(b *testing.B, s *Store, app AppName, n int) {
	b.Helper()
	const batch = 1000
	for from := 0; from < n; from += batch {
		keys := make([]Key, min(batch, n-from))
		for i := range keys {
			keys[i] = apiKey(app, fmt.Sprintf("key-%07d", from+i))
		}
		update(b, s, makes(func(tx *Tx) ([]Key, error) { return tx.CreateKeys(app, keys) }))
	}
}

// BenchmarkByDigest finds keys among many: a thousand, or as many as the variable KEYS says.
func BenchmarkByDigest(b *testing.B) {
	many := 1000
	if text := os.Getenv("KEYS"); text != "" {
		many = must[int](b)(strconv.Atoi(text))
	}
	for name, o := range map[string]Options{"SQLite": {File: filepath.Join(b.TempDir(), "keys.db")}, "PostgreSQL": {DSN: newDatabase(b)}} {
		s := open(b, o)
		withApp(b, s, acme)
		fill(b, s, acme, many)
		digests := make([]keystore.Digest, 1000)
		for i := range digests {
			digests[i] = apiKey(acme, fmt.Sprintf("key-%07d", i*(many/1000))).Digest
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				must[*keystore.Key](b)(s.ByDigest(b.Context(), digests[i%len(digests)]))
				i++
			}
		})
	}
}
