package server

import (
	"runtime"
	"testing"
	"weak"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
)

// TestAppsAreReleased: nothing holds the Apps of files once their keys are made, not even the snapshot that they came
// in, nor are they made again for that.
func TestAppsAreReleased(t *testing.T) {
	i, err := assemble(t, manyApps(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.drain(); i.parts.close() })
	snap, err := source.ReadDir(i.dir)
	if err != nil {
		t.Fatal(err)
	}
	var read []weak.Pointer[v1alpha1.App]
	for j := range snap.Documents {
		if app := snap.Documents[j].App; app != nil {
			read = append(read, weak.Make(app.Read()))
		}
	}
	if r := i.loader.load(snap); len(r.errors) > 0 {
		t.Fatal(r.errors)
	}
	store := i.loader.apps.store
	if i.loader.load(snap); i.loader.apps.store != store {
		t.Error("a load that changes nothing makes the keys again")
	}
	runtime.GC()
	for _, app := range read {
		if app.Value() != nil {
			t.Errorf("%s is still held", app.Value().Name)
		}
	}
	if len(read) != 2 {
		t.Errorf("%d Apps, want 2", len(read))
	}
	runtime.KeepAlive(snap.Documents)
}
