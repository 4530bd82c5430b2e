// Command image builds Postern's container image with ko, from nothing: the image holds the static binary, which brings
// the CAs of the web along, and no shell, library or package manager that could need an update. The same source gives
// the same digest, which it prints.
//
//	go run . --layout DIR                         into an OCI image layout
//	go run . --push ghcr.io/postern-auth/postern  to a registry, logged in as docker is
//
// It is a module of its own so that Postern's does not depend on what builds it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/ko/pkg/build"
	"github.com/google/ko/pkg/publish"
)

const (
	repository = "https://github.com/postern-auth/postern"
	user       = "65532:65532" // nobody in particular; the chart says the same
)

type options struct {
	root, version, commit string
	platforms             []string
	created               int64 // seconds since 1970, of the commit: the same source, the same time
	sbom                  string
	layout, push          string
	tags                  []string
}

func main() {
	var o options
	list := func(target *[]string) func(string) error {
		return func(s string) error { *target = strings.Split(s, ","); return nil }
	}
	o.platforms = []string{"linux/amd64", "linux/arm64"}
	flag.StringVar(&o.root, "root", "../..", "directory of the source")
	flag.StringVar(&o.version, "version", "devel", "version of Postern")
	flag.StringVar(&o.commit, "commit", "unknown", "commit of the source")
	flag.Int64Var(&o.created, "created", 0, "time of the commit, in seconds since 1970")
	flag.Func("platforms", "os/arch, separated by commas (default linux/amd64,linux/arm64)", list(&o.platforms))
	flag.StringVar(&o.sbom, "sbom", "", "directory for the SBOMs (SPDX), which are attached to the image in any case")
	flag.StringVar(&o.layout, "layout", "", "directory of an OCI image layout to write to")
	flag.StringVar(&o.push, "push", "", "repository to push to")
	flag.Func("tags", "tags to push, separated by commas", list(&o.tags))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ref, err := run(ctx, &o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(ref)
}

// run builds the image, puts it where it is wanted, and returns its digest, with the repository if there is one.
func run(ctx context.Context, o *options) (string, error) {
	if (o.layout == "") == (o.push == "") {
		return "", errors.New("say where the image goes: --layout DIR or --push REPOSITORY")
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		return "", err
	}
	if err := os.Setenv("GOFLAGS", ""); err != nil { // somebody's flags must not change the digest
		return "", err
	}
	builder, err := build.NewGo(ctx, root,
		build.WithBaseImages(nothing(o.platforms)),
		build.WithPlatforms(o.platforms...),
		build.WithUser(user),
		build.WithCreationTime(v1.Time{Time: time.Unix(o.created, 0).UTC()}),
		build.WithTrimpath(true),
		build.WithDefaultEnv([]string{"CGO_ENABLED=0", "GOWORK=off"}),
		build.WithDefaultFlags([]string{"-buildvcs=false"}),
		build.WithDefaultLdflags([]string{"-s", "-w", "-X main.version=" + o.version, "-X main.commit=" + o.commit}),
		build.WithAnnotation("org.opencontainers.image.source", repository),
		build.WithLabel("org.opencontainers.image.source", repository),
		build.WithLabel("org.opencontainers.image.version", o.version),
		build.WithLabel("org.opencontainers.image.revision", o.commit),
		build.WithLabel("org.opencontainers.image.licenses", "Apache-2.0"),
		build.WithSPDX(o.version),
		build.WithSBOMDir(o.sbom),
		build.WithJobs(2),
	)
	if err != nil {
		return "", err
	}
	path, err := builder.QualifyImport("./cmd/postern")
	if err != nil {
		return "", err
	}
	image, err := builder.Build(ctx, path)
	if err != nil {
		return "", err
	}
	if o.layout != "" {
		return o.write(image)
	}
	registry, err := publish.NewDefault(o.push,
		publish.WithAuthFromKeychain(authn.DefaultKeychain),
		publish.WithNamer(func(base, _ string) string { return base }),
		publish.WithTags(o.tags))
	if err != nil {
		return "", err
	}
	ref, err := registry.Publish(ctx, image, path)
	if err != nil {
		return "", err
	}
	return ref.String(), registry.Close()
}

// write makes an OCI image layout that holds the image and returns its digest.
func (o *options) write(built build.Result) (string, error) {
	at, err := layout.Write(o.layout, empty.Index)
	if err != nil {
		return "", err
	}
	switch built := built.(type) {
	case v1.ImageIndex:
		err = at.AppendIndex(built)
	case v1.Image:
		err = at.AppendImage(built)
	}
	digest, failed := built.Digest()
	return digest.String(), errors.Join(err, failed)
}

// nothing is the base of every image: no layer, for each of the platforms.
func nothing(platforms []string) build.GetBase {
	return func(context.Context, string) (name.Reference, build.Result, error) {
		ref, err := name.ParseReference("scratch")
		if err != nil {
			return nil, nil, err
		}
		index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for _, s := range platforms {
			platform, err := v1.ParsePlatform(s)
			if err != nil {
				return nil, nil, err
			}
			image, err := mutate.ConfigFile(
				mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
				&v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant, RootFS: v1.RootFS{Type: "layers"}})
			if err != nil {
				return nil, nil, err
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add: image, Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: platform},
			})
		}
		return ref, index, nil
	}
}
