package attach

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestScenarios runs testdata/*.txtar. Each *.yaml of an archive is what a cluster holds from there on, in place of an
// earlier file of that name. These say what comes of it:
//
//	routes    a line for each Route: kind, namespace/name, rule, hosts, matches, listeners, policy
//	targets   a line for each targetRef: policy, target, reason; below it who overrides it, and the message
//	affected  a line for each object: kind, namespace/name, policies
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checked := false
			objects := map[string]string{}
			for _, f := range archive.Files {
				if strings.HasSuffix(f.Name, ".yaml") {
					objects[f.Name] = string(f.Data)
					continue
				}
				checked = true
				show, ok := printers[f.Name]
				if !ok {
					t.Fatalf("unknown step %q", f.Name)
				}
				if diff := cmp.Diff(strings.TrimSpace(string(f.Data)), strings.TrimSpace(show(Resolve(parse(t, objects))))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if !checked {
				t.Error("the scenario checks nothing")
			}
		})
	}
}

// parse reads files of objects.
func parse(t *testing.T, files map[string]string) Input {
	t.Helper()
	in := Input{Namespaces: map[string]map[string]string{}}
	for name, text := range files {
		for doc := range strings.SplitSeq(text, "---\n") {
			if err := in.add([]byte(doc)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	return in
}

// add adds an object in YAML.
func (in *Input) add(doc []byte) error {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := yaml.Unmarshal(doc, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "":
		return nil
	case v1alpha1.KindAuthPolicy:
		p, err := decode[v1alpha1.AuthPolicy](doc)
		p.SetDefaults()
		in.Policies = append(in.Policies, p)
		return err
	case v1alpha1.KindGateway:
		return decodeInto(doc, &in.Gateways)
	case v1alpha1.KindHTTPRoute:
		return decodeInto(doc, &in.HTTPRoutes)
	case v1alpha1.KindGRPCRoute:
		return decodeInto(doc, &in.GRPCRoutes)
	case "ReferenceGrant":
		return decodeInto(doc, &in.Grants)
	case "Namespace":
		n, err := decode[corev1.Namespace](doc)
		in.Namespaces[n.Name] = n.Labels
		return err
	default:
		return fmt.Errorf("unknown kind %q", kind.Kind)
	}
}

func decode[T any](doc []byte) (*T, error) {
	out := new(T)
	return out, yaml.UnmarshalStrict(doc, out)
}

func decodeInto[T any](doc []byte, list *[]*T) error {
	one, err := decode[T](doc)
	*list = append(*list, one)
	return err
}

var printers = map[string]func(Output) string{"routes": printRoutes, "targets": printTargets, "affected": printAffected}

func printRoutes(out Output) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range out.Routes {
		rule := fmt.Sprint(r.Rule)
		if r.Section != "" {
			rule += ":" + r.Section
		}
		policy := r.Policy
		if policy == "" {
			policy = "-"
		}
		if r.Redirects {
			policy += "  redirects"
		}
		if r.Denied != "" {
			policy += "  denied: " + r.Denied
		}
		var matches []string
		for i := range r.Matches {
			matches = append(matches, printMatch(&r.Matches[i]))
		}
		fmt.Fprintf(w, "%s\t%s/%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, r.Namespace, r.Name, rule, strings.Join(r.Hosts, ","),
			strings.Join(matches, "|"), strings.Join(r.Listeners, ","), policy)
	}
	_ = w.Flush()
	return b.String()
}

func printMatch(m *v1alpha1.RouteMatch) string {
	var parts []string
	if m.Method != "" {
		parts = append(parts, m.Method)
	}
	if p := m.Path; p != nil {
		switch {
		case p.Exact != "":
			parts = append(parts, "="+p.Exact)
		case p.Prefix != "":
			parts = append(parts, "^"+p.Prefix)
		default:
			parts = append(parts, "~"+p.Regex)
		}
	}
	if m.Wider != "" {
		parts = append(parts, "wider~"+m.Wider)
	}
	for _, list := range []struct {
		mark   string
		values []v1alpha1.RouteValueMatch
	}{{"h:", m.Headers}, {"q:", m.Query}} {
		for _, v := range list.values {
			op := "="
			if v.Regex {
				op = "~"
			}
			parts = append(parts, list.mark+v.Name+op+v.Value)
		}
	}
	return strings.Join(parts, "&")
}

func printTargets(out Output) string {
	var b strings.Builder
	for _, t := range out.Targets {
		fmt.Fprintf(&b, "%s -> %s %s/%s", t.Policy, t.Ref.Kind, t.Ref.Namespace, t.Ref.Name)
		if t.Ref.SectionName != "" {
			b.WriteString("#" + t.Ref.SectionName)
		}
		fmt.Fprintf(&b, ": %s\n", t.Reason)
		if len(t.OverriddenBy) > 0 {
			fmt.Fprintf(&b, "  overridden by %s\n", strings.Join(t.OverriddenBy, ", "))
		}
		fmt.Fprintf(&b, "  %s\n", t.Message)
	}
	return b.String()
}

func printAffected(out Output) string {
	var b strings.Builder
	for _, a := range out.Affected {
		fmt.Fprintf(&b, "%s %s/%s: %s\n", a.Kind, a.Namespace, a.Name, strings.Join(a.Policies, ", "))
	}
	return b.String()
}
