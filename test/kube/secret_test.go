package kube

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// masked is a text that is nowhere in memory.
type masked [32]byte

const mask = 0x80 // of text that is ASCII

// newMasked draws a text of hexadecimal digits.
func newMasked() *masked {
	var m masked
	_, _ = rand.Read(m[:]) // it never fails
	for i, b := range m {
		m[i] = "0123456789abcdef"[b&15] | mask
	}
	return &m
}

func (m *masked) reveal() []byte {
	text := make([]byte, len(m))
	for i, b := range m {
		text[i] = b &^ mask
	}
	return text
}

// in reports whether the text is somewhere in the data.
func (m *masked) in(data []byte) bool {
	first := m[0] &^ mask
	for {
		at := bytes.IndexByte(data, first)
		if at < 0 || len(data)-at < len(m) {
			return false
		}
		i := 1
		for i < len(m) && data[at+i] == m[i]&^mask {
			i++
		}
		if i == len(m) {
			return true
		}
		data = data[at+1:]
	}
}

// TestKeyIsNotKept: of a Secret that is an API key only the digest stays: the text is nowhere in the memory of whoever
// watches it, once what came over the wire has been overwritten by what came after it.
func TestKeyIsNotKept(t *testing.T) {
	w := watch(t, world.cluster)
	w.kubectl("create", "namespace", "kept")
	key := newMasked()
	manifest := filepath.Join(t.TempDir(), "key.yaml")
	writeKey(t, manifest, key)
	w.kubectl("apply", "-f", manifest) // so that it stands in last-applied-configuration too
	w.await("kept", "Secret/acme")
	data := w.find(v1alpha1.KindSecret, "kept", "acme").Secret.StringData
	text := key.reveal()
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(text)); len(data) != 1 || data["digest"] != want {
		t.Errorf("it holds %v, want the digest %s", data, want)
	}
	clear(text)
	filler := strings.Repeat("x", 512<<10)
	for i := range 20 {
		w.apply(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: filler, namespace: kept, labels: {postern.dev/credential: filler}}\n"+
			"stringData: {text: %d%s}\n", i, filler))
		w.await("kept", "Secret/acme", "Secret/filler")
		if !heapHolds(t, key) {
			return
		}
	}
	t.Error("the text of the key stays in memory")
}

func writeKey(t *testing.T, path string, key *masked) {
	t.Helper()
	text := key.reveal()
	manifest := append([]byte("apiVersion: v1\nkind: Secret\n"+
		"metadata: {name: acme, namespace: kept, labels: {postern.dev/credential: api-key}}\nstringData: {key: '"), text...)
	manifest = append(manifest, "'}\n"...)
	must(t, os.WriteFile(path, manifest, 0o600))
	clear(text)
	clear(manifest)
}

// heapHolds looks for the text in everything that is in use on the heap.
func heapHolds(t *testing.T, text *masked) bool {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "heap"))
	must(t, err)
	defer file.Close()
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	debug.WriteHeapDump(file.Fd())
	_, err = file.Seek(0, io.SeekStart)
	must(t, err)
	const overlap = len(masked{}) - 1
	buffer := make([]byte, 1<<20)
	defer clear(buffer) // it must not be what the next dump shows
	kept := 0
	for {
		n, err := file.Read(buffer[kept:])
		if text.in(buffer[:kept+n]) {
			return true
		}
		if err == io.EOF {
			return false
		}
		must(t, err)
		kept = copy(buffer, buffer[max(0, kept+n-overlap):kept+n])
	}
}
