// Package architecture holds the house rules that a compiler does not check: who may import whom, which module stays
// behind which fence, how long a file may grow, and that each package says what it is.
package architecture

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/postern-auth/postern/"

// mayImport lists, for each package below internal, the packages below internal that its code may import. A trailing
// slash stands for everything below. server and cli are the wiring and see everything.
var mayImport = map[string][]string{
	"admin":                 {"authz", "config", "keystore", "keystore/sql", "listen", "reload", "resource/v1alpha1"},
	"authz":                 nil,
	"cache":                 nil,
	"config":                {"authz"},
	"replay":                nil,
	"telemetry":             {"authz"},
	"usage":                 {"authz"},
	"resource/v1alpha1":     {"authz"},
	"source":                {"resource/v1alpha1"},
	"kube":                  {"resource/v1alpha1", "source", "kube/", "keystore", "keystore/kube"},
	"kube/attach":           {"authz", "resource/v1alpha1"},
	"kube/status":           {"resource/v1alpha1", "source", "kube/attach"},
	"policy":                {"authz", "resource/v1alpha1", "policy/"},
	"policy/expr":           {"authz"},
	"extauthz":              {"authz", "listen"},
	"listen":                {"reload"},
	"reload":                nil,
	"keystore":              {"authz", "resource/v1alpha1"},
	"keystore/cached":       {"authz", "cache", "keystore"},
	"keystore/declared":     {"authz", "keystore", "resource/v1alpha1"},
	"keystore/undeclared":   {"keystore"},
	"keystore/kube":         {"authz", "keystore", "resource/v1alpha1"},
	"keystore/keystoretest": {"authz", "keystore", "keystore/seal"},
	"keystore/seal":         {"authz"},
	"keystore/sql":          {"authz", "keystore"},
	"authn/apikey":          {"authz", "keystore", "resource/v1alpha1"},
	"authn/jwt":             {"authz", "cache", "resource/v1alpha1"},
	"authn/signature":       {"authz", "keystore", "replay", "resource/v1alpha1"},
	"server":                {""},
	"cli":                   {""},
}

// fences lists the modules that only the named packages (below the module) may import outside tests.
var fences = map[string][]string{
	"github.com/envoyproxy/go-control-plane": {"internal/extauthz", "test/"},
	"github.com/dgraph-io/ristretto":         {"internal/cache"},
	"github.com/lestrrat-go/jwx":             {"internal/authn/jwt", "test/"},
	"cel.dev/cel-go":                         {"internal/policy/"},
	"github.com/redis/go-redis":              {"internal/replay"},
	"database/sql":                           {"internal/keystore/sql"},
	"modernc.org/sqlite":                     {"internal/keystore/sql"},
	"github.com/jackc/pgx":                   {"internal/keystore/sql"},
	"github.com/pressly/goose":               {"internal/keystore/sql"},
	"github.com/tink-crypto/tink-go":         {"internal/keystore/seal"},
	"github.com/dunglas/httpsfv":             {"internal/authn/signature"},
	"github.com/prometheus":                  {"internal/telemetry", "test/"},
	"github.com/spf13/cobra":                 {"internal/cli"},
	"github.com/fsnotify/fsnotify":           {"internal/source"},
	"connectrpc.com":                         {"internal/admin", "internal/cli", "proto/"},
	"buf.build":                              {"internal/admin", "proto/"},
	"k8s.io":                                 {"internal/resource/v1alpha1", "internal/policy", "internal/keystore/declared", "internal/authn/", "internal/server", "internal/cli", "internal/kube", "internal/kube/", "internal/keystore/kube", "test/"},
	"k8s.io/client-go":                       {"internal/kube", "internal/kube/", "internal/keystore/kube", "test/"},
	"sigs.k8s.io/controller-runtime":         {"internal/kube", "internal/kube/", "test/"},
	"sigs.k8s.io/gateway-api":                {"internal/kube", "internal/kube/", "test/"},
}

const maxLines = 400

type file struct {
	path    string // below the module, with slashes
	pkg     string // its directory
	test    bool
	imports []string
	doc     bool
	lines   int
}

func TestImportRules(t *testing.T) {
	for _, f := range goFiles(t) {
		pkg, internal := strings.CutPrefix(f.pkg, "internal/")
		if !internal || f.test {
			continue
		}
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s: package %s has no line in mayImport: say what it may import", f.path, f.pkg)
			continue
		}
		for _, imp := range f.imports {
			if pkg == "authz" && strings.Contains(imp, ".") {
				t.Errorf("%s imports %s: authz imports the standard library only", f.path, imp)
			}
			if target, ok := strings.CutPrefix(imp, module+"internal/"); ok && !matches(allowed, target) {
				t.Errorf("%s imports internal/%s: %s may import only %v", f.path, target, pkg, allowed)
			}
		}
	}
}

func TestFences(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, imp := range f.imports {
			for fenced, allowed := range fences {
				if (imp == fenced || strings.HasPrefix(imp, fenced+"/")) && !matches(allowed, f.pkg) {
					t.Errorf("%s imports %s, which stays within %v", f.path, imp, allowed)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test || strings.HasPrefix(f.pkg, "test/") {
			documented[f.pkg] = documented[f.pkg] || f.doc
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s: no file of it opens with a package comment", pkg)
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: is it one thing?", f.path, f.lines, maxLines)
		}
	}
}

func TestTopLevel(t *testing.T) {
	allowed := []string{
		"cmd", "internal", "proto", "deploy", "envoy", "helm", "test", "go.mod", "go.sum", "README.md", "Makefile", "LICENSE",
		"CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ".ci", ".golangci.yml", ".gitignore",
	}
	for _, path := range tracked(t) {
		top, _, _ := strings.Cut(path, "/")
		if !slices.Contains(allowed, top) {
			t.Errorf("%s: the top level holds only %v", path, allowed)
		}
	}
}

func matches(patterns []string, target string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return p == target || p == "" || strings.HasSuffix(p, "/") && strings.HasPrefix(target, p)
	})
}

// goFiles parses the head of every Go file of the module that is not generated.
func goFiles(t *testing.T) []file {
	t.Helper()
	var files []file
	for _, path := range tracked(t) {
		if !strings.HasSuffix(path, ".go") || generated(path) {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) {
			continue // removed in the work tree
		}
		if err != nil {
			t.Fatal(err)
		}
		ast, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		f := file{
			path:  path,
			pkg:   filepath.ToSlash(filepath.Dir(path)),
			test:  strings.HasSuffix(path, "_test.go"),
			doc:   ast.Doc != nil,
			lines: strings.Count(string(src), "\n"),
		}
		for _, imp := range ast.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			f.imports = append(f.imports, name)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatal("no Go file found")
	}
	return files
}

func generated(path string) bool {
	return strings.HasPrefix(filepath.Base(path), "zz_generated") ||
		strings.HasSuffix(path, ".pb.go") || strings.HasSuffix(path, ".connect.go")
}

const root = "../.."

// tracked lists the files that git tracks or would track.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v: these tests need git and a checkout", err)
	}
	return strings.Fields(string(out))
}
