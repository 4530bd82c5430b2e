package image

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/test/harness"
)

// TestPlatforms: what is released has an image for each platform, whose program is of that platform, and an SBOM of each
// that lists the modules the program was built from.
func TestPlatforms(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	sboms := t.TempDir()
	at, _ := build(t, root, root, "--sbom", sboms)
	images := at.images(t)
	machines := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}
	want, got := slices.Sorted(maps.Keys(machines)), slices.Sorted(maps.Keys(images))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("platforms:\n%s", diff)
	}
	for platform, img := range images {
		dir := filepath.Join(t.TempDir(), "root")
		at.extract(t, &img, dir)
		path := filepath.Join(dir, program)
		file, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if file.Machine != machines[platform] {
			t.Errorf("%s: the program is of %s", platform, file.Machine)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		sbom := filepath.Join(sboms, "postern-"+strings.ReplaceAll(platform, "/", "-")+".spdx.json")
		if diff := cmp.Diff(modules(t, path), listed(t, sbom, img.digest)); diff != "" {
			t.Errorf("%s: -modules of the program +modules of the SBOM:\n%s", platform, diff)
		}
	}
}

// modules returns the modules that a program was built from, sorted.
func modules(t *testing.T, program string) []string {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{info.Main.Path}
	for _, d := range info.Deps {
		all = append(all, d.Path+"@"+d.Version)
	}
	slices.Sort(all)
	return all
}

// listed returns the modules in an SBOM, sorted; it has to describe the image with the digest.
func listed(t *testing.T, path, digest string) []string {
	t.Helper()
	var sbom struct {
		SPDXVersion, Name string
		Packages          []struct {
			Name, VersionInfo string
			ExternalRefs      []struct{ ReferenceLocator string }
		}
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &sbom)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(sbom.SPDXVersion, "SPDX-2") || !strings.HasSuffix(sbom.Name, digest) {
		t.Errorf("%s is in %q and of %s, not of %s", path, sbom.SPDXVersion, sbom.Name, digest)
	}
	var all []string
	for _, p := range sbom.Packages {
		switch {
		case len(p.ExternalRefs) == 0 || !strings.HasPrefix(p.ExternalRefs[0].ReferenceLocator, "pkg:golang/"):
		case p.VersionInfo == "": // the module itself has none: it is built where it lies
			all = append(all, p.Name)
		default:
			all = append(all, p.Name+"@"+p.VersionInfo)
		}
	}
	slices.Sort(all)
	return all
}
