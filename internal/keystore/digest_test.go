package keystore

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
)

func TestDigestText(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	for _, text := range []string{"sha256:" + sum, "hmac-sha256:p1:" + sum, "hmac-sha256:2026.a_b-c:" + sum} {
		d, err := ParseDigest(text)
		if err != nil || d.String() != text {
			t.Errorf("%q became %q, %v", text, d, err)
		}
	}
	for _, text := range []string{
		"", "sha256", "sha256:", sum, ":" + sum, "sha256:" + sum[1:], "sha256:" + sum + "0", "sha256:" + strings.ToUpper(sum), "SHA256:" + sum,
		"sha256:p1:" + sum, "sha256::" + sum, "sha256:" + sum + "\n", "sha256: " + sum[1:], "sha256:" + sum[:63] + "g", "sha512:" + sum,
		"hmac-sha256:" + sum, "hmac-sha256::" + sum, "hmac-sha256:a b:" + sum, "hmac-sha256:a:b:" + sum, "hmac-sha256:" + strings.Repeat("a", 65) + ":" + sum,
		"pk_00000000000000000000000000000000000000000001zqVSB",
	} {
		if d, err := ParseDigest(text); !errors.Is(err, errDigest) || d != (Digest{}) {
			t.Errorf("%q became %q, %v", text, d, err)
		}
	}
	if want := "a digest is sha256:<64 hex digits> or hmac-sha256:<pepper id>:<64 hex digits>"; errDigest.Error() != want {
		t.Error(errDigest)
	}
}

func FuzzParseDigest(f *testing.F) {
	sum := strings.Repeat("0123456789abcdef", 4)
	f.Add("sha256:" + sum)
	f.Add("hmac-sha256:p1:" + sum)
	f.Add("hmac-sha256:" + sum)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDigest(text); err == nil && d.String() != text {
			t.Fatalf("%q became %q", text, d)
		}
	})
}

func TestDigestEqual(t *testing.T) {
	a := Digest{Sum: [32]byte{1}}
	for _, b := range []Digest{{}, {Sum: [32]byte{2}}, {Pepper: "p", Sum: a.Sum}, {Sum: [32]byte{1, 31: 1}}} {
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("%v equals %v", a, b)
		}
	}
	if same := a; !a.Equal(same) {
		t.Error("it does not equal itself")
	}
}

func TestHasherVectors(t *testing.T) {
	h := NewHasher(Pepper{ID: "p1", Secret: "0123456789abcdef"})
	for _, v := range vectors {
		want := []string{"hmac-sha256:p1:" + v.hmac, "sha256:" + v.sha256}
		for range 3 { // pooled hashes start afresh
			var got []string
			for _, d := range h.AppendDigests(nil, authz.Secret(v.key)) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		for i, id := range []string{"p1", ""} {
			if d, err := h.Digest(id, authz.Secret(v.key)); err != nil || d.String() != want[i] {
				t.Errorf("pepper %q: %v, %v", id, d, err)
			}
		}
	}
	if _, err := h.Digest("p2", "k"); err == nil || err.Error() != `no pepper has the id "p2"; add it to the pepper file` {
		t.Error(err)
	}
}

func TestHasherOnly(t *testing.T) {
	h := NewHasher(Pepper{ID: "a", Secret: "0123456789abcdef"}, Pepper{ID: "b", Secret: "0123456789abcdeg"})
	for _, tc := range []struct {
		h    *Hasher
		want []string
	}{
		{h, []string{"a", "b", ""}},
		{h.Only(), nil},
		{h.Only(""), []string{""}},
		{h.Only("b", ""), []string{"b", ""}},
		{h.Only("b", "b"), []string{"b"}},
		{h.Only("c"), nil},
		{h.Only("a").Only("", "a", "b"), []string{"a"}},
		{NewHasher(), []string{""}},
		{&Hasher{}, nil},
	} {
		var got []string
		for _, d := range tc.h.AppendDigests(nil, "k") {
			got = append(got, d.Pepper)
			if !tc.h.Has(d.Pepper) {
				t.Errorf("it has no %q", d.Pepper)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Error(diff)
		}
	}
	if h.Only("a").Has("") || h.Has("c") {
		t.Error("it has what it was not given")
	}
}

func TestHasherUsesOtherPeppers(t *testing.T) {
	const key = authz.Secret("k")
	first, second := Pepper{ID: "a", Secret: "0123456789abcdef"}, Pepper{ID: "a", Secret: "0123456789abcdeg"}
	other := Pepper{ID: "b", Secret: "0123456789abcdef"}
	h := NewHasher(first)
	all, some := h.Only("", "a", "b"), h.Only("b")
	h.Use(second, other)
	want := NewHasher(second, other)
	for name, pair := range map[string][2]*Hasher{"it": {h, want}, "all": {all, want}, "some": {some, want.Only("b")}} {
		if diff := cmp.Diff(pair[1].AppendDigests(nil, key), pair[0].AppendDigests(nil, key)); diff != "" || !pair[0].Has("b") {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if h.Keep(key) != want.Keep(key) || some.Keep(key) != want.Only("b").Keep(key) {
		t.Error("keys are kept under another pepper than the first")
	}
	if h.Use(); h.Has("a") || some.Has("b") || !h.Has("") {
		t.Error("it has peppers that were taken away")
	}
}

func TestParsePeppers(t *testing.T) {
	const good = "MDEyMzQ1Njc4OWFiY2RlZg=="
	got, err := ParsePeppers([]byte("# comment\n\n p1:" + good + " \r\np2:" + good + "\n"))
	if want := []Pepper{{"p1", "0123456789abcdef"}, {"p2", "0123456789abcdef"}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParsePeppers(nil); err != nil || len(got) != 0 {
		t.Errorf("an empty file: %v, %v", got, err)
	}
	for file, want := range map[string]string{
		"p1":                                 "line 1: pepper p1 has 0 bytes, fewer than 16; make one with: openssl rand -base64 32",
		"a b:" + good:                        "line 1: the pepper's id is not 1 to 64 letters, digits, '-', '_' or '.'; write <id>:<base64>",
		":" + good:                           "line 1: the pepper's id is not 1 to 64 letters, digits, '-', '_' or '.'; write <id>:<base64>",
		"p1:" + good + "\n\np1:" + good:      "line 3: pepper p1 stands in the file twice; give the new one another id",
		"#\np1:%%%":                          "line 2: pepper p1 is not standard base64; make one with: openssl rand -base64 32",
		"p1:" + strings.TrimRight(good, "="): "line 1: pepper p1 is not standard base64; make one with: openssl rand -base64 32",
		"p1:c2hvcnQ=":                        "line 1: pepper p1 has 5 bytes, fewer than 16; make one with: openssl rand -base64 32",
	} {
		if got, err := ParsePeppers([]byte(file)); err == nil || err.Error() != want || got != nil {
			t.Errorf("%q: %v, %v", file, got, err)
		}
	}
}

func FuzzParsePeppers(f *testing.F) {
	f.Add([]byte("# c\np1:MDEyMzQ1Njc4OWFiY2RlZg==\n"))
	f.Add([]byte("p1:\n:"))
	f.Fuzz(func(t *testing.T, file []byte) {
		peppers, err := ParsePeppers(file)
		seen := map[string]bool{}
		for _, p := range peppers {
			if err != nil || !isPepperID(p.ID) || len(p.Secret) < minPepper || seen[p.ID] {
				t.Fatalf("%q: %v, %v", file, peppers, err)
			}
			seen[p.ID] = true
		}
	})
}

func BenchmarkAppendDigests(b *testing.B) {
	plain := NewHasher()
	peppered := NewHasher(Pepper{ID: "p1", Secret: "0123456789abcdef"}).Only("p1")
	key := authz.Secret(vectors[2].key)
	for name, h := range map[string]*Hasher{"sha256": plain, "hmac-sha256": peppered} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var buf [2]Digest
				h.AppendDigests(buf[:0], key)
			}
		})
	}
}
