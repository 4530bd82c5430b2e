package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestRelease: an App that was released is decoded again once it is read, and only then.
func TestRelease(t *testing.T) {
	docs := v1alpha1.Decode("apps.yaml", manyApps(3))
	app := docs[1].App
	before := app.Read()
	if app.Read() != before {
		t.Error("decoded again without having been released")
	}
	app.Release()
	again := app.Read()
	if again == before {
		t.Error("it was not released")
	}
	if diff := cmp.Diff(before, again); diff != "" || again.Name != docs[1].Name {
		t.Errorf("%s reads differently after its release: %s", docs[1].Object(), diff)
	}
	if app.Read() != again {
		t.Error("decoded twice after one release")
	}
}

// TestReleaseKeepsObjectsOfAPI: there is no text that they could be decoded from.
func TestReleaseKeepsObjectsOfAPI(t *testing.T) {
	given := new(v1alpha1.App)
	given.Namespace, given.Name = "shop", "acme"
	doc := v1alpha1.NewDocument(given)
	if doc.Err != nil {
		t.Fatal(doc.Err)
	}
	doc.App.Release()
	if doc.App.Read() != given {
		t.Error("it is another object")
	}
}
