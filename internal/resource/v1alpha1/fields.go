package v1alpha1

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// field is one field of a Go struct as documents spell it.
type field struct {
	name     string
	index    []int // for reflect.Value.FieldByIndex
	required bool
}

// fields are those of one struct, embedded ones included, in the order of the source.
type fields struct {
	list   []field
	byName map[string]int // index in list
}

// known caches the fields of each type.
var known sync.Map // reflect.Type → *fields

// metadataFields are the parts of Kubernetes' metadata that mean something in a file; the others are the API server's.
var metadataFields = []string{"name", "namespace", "labels", "annotations", "creationTimestamp"}

func fieldsOf(t reflect.Type) *fields {
	if f, ok := known.Load(t); ok {
		return f.(*fields)
	}
	f := &fields{byName: map[string]int{}}
	f.add(t, nil)
	if t == reflect.TypeFor[metav1.ObjectMeta]() {
		f.list = slices.DeleteFunc(f.list, func(f field) bool { return !slices.Contains(metadataFields, f.name) })
	}
	for i := range f.list {
		f.byName[f.list[i].name] = i
	}
	known.Store(t, f)
	return f
}

// add lists the fields of t, which stands at index in the outermost struct.
func (f *fields) add(t reflect.Type, index []int) {
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "status" {
			continue // the API server's alone
		}
		at := append(slices.Clone(index), i)
		if name == "" {
			f.add(t.Field(i).Type, at) // embedded
			continue
		}
		f.list = append(f.list, field{name: name, index: at, required: !strings.Contains(options, "omit")})
	}
}

// suggest says what to write instead of a name that is not a field: the one that is meant, if that can be guessed, and
// else all there are.
func (f *fields) suggest(name string) string {
	nearest, least := "", 1+len(name)/4 // typing errors that still look like the same word
	names := make([]string, len(f.list))
	for i := range f.list {
		names[i] = f.list[i].name
		if n := distance(strings.ToLower(name), strings.ToLower(names[i])); n <= least {
			nearest, least = names[i], n-1
		}
	}
	if nearest != "" {
		return "did you mean " + nearest + "?"
	}
	return "known fields here: " + strings.Join(names, ", ")
}

// distance counts the letters to insert, delete or replace to turn a into b (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a) // not a slip of the finger
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
