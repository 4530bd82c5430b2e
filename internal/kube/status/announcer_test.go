package status

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// told is an EventRecorder that remembers: "Warning Invalid acme: message".
type told []string

func (r *told) Eventf(regarding, _ runtime.Object, kind, reason, _, note string, args ...any) {
	name := ""
	switch o := regarding.(type) {
	case *v1alpha1.AuthPolicy:
		name = o.Name
	case *corev1.ObjectReference:
		name = o.Name
	}
	*r = append(*r, fmt.Sprintf("%s %s %s: %s", kind, reason, name, fmt.Sprintf(note, args...)))
}

// TestEventsOfSecrets: what is wrong with a Secret is told once, again when it changes, when the Secret is another one, and
// when the API server may have forgotten it.
func TestEventsOfSecrets(t *testing.T) {
	var got told
	a := newAnnouncer(&got)
	acme := key{v1alpha1.KindSecret, "shop", "acme"}
	wrong := func(uid, message string) map[key]complaint {
		return map[key]complaint{acme: {types.UID(uid), "Invalid", message}}
	}
	now := noon.Time
	for _, step := range []struct {
		bad   map[key]complaint
		after time.Duration
		told  int
	}{
		{wrong("1", "has no key"), 0, 1},
		{wrong("1", "has no key"), time.Minute, 0},
		{wrong("1", "is empty"), time.Minute, 1},
		{wrong("2", "is empty"), time.Minute, 1},
		{nil, time.Minute, 0},
		{wrong("2", "is empty"), time.Minute, 1},
		{wrong("2", "is empty"), repeatAfter - time.Minute, 0},
		{wrong("2", "is empty"), time.Minute, 1},
	} {
		before := len(got)
		now = now.Add(step.after)
		a.secrets(step.bad, now)
		if n := len(got) - before; n != step.told {
			t.Errorf("%v: %d Events, want %d: %q", step.bad, n, step.told, got)
		}
	}
	if want := "Warning Invalid acme: has no key"; got[0] != want {
		t.Errorf("told %q, want %q", got[0], want)
	}
}

// TestFloodOfEvents: of thousands of changes at once only some make Events, and good news takes no room of bad news. Bad
// Secrets for which there is no room are told of later.
func TestFloodOfEvents(t *testing.T) {
	var got told
	a := newAnnouncer(&got)
	for i := range 10 * eventsAtOnce {
		good := &v1alpha1.AuthPolicy{}
		good.Name = fmt.Sprint("good-", i)
		good.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: "Accepted"}}
		a.change(&v1alpha1.AuthPolicy{}, good)
	}
	if n := len(got); n < eventsAtOnce || n >= 10*eventsAtOnce {
		t.Errorf("%d Events of %d changes", n, 10*eventsAtOnce)
	}
	bad := map[key]complaint{}
	for i := range 3 * eventsAtOnce {
		bad[key{v1alpha1.KindSecret, "shop", fmt.Sprint("bad-", i)}] = complaint{reason: "Invalid", message: "has no key"}
	}
	got = nil
	a.secrets(bad, noon.Time)
	if n := len(got); n < eventsAtOnce || n == len(bad) {
		t.Errorf("%d Events of %d bad Secrets", n, len(bad))
	}
	a.limits[corev1.EventTypeWarning] = newAnnouncer(nil).limits[corev1.EventTypeWarning] // as time would
	a.secrets(bad, noon.Time)
	slices.Sort(got)
	if n := len(got); n < 2*eventsAtOnce || n != len(slices.Compact(got)) {
		t.Errorf("%d Events, of which %d differ", n, len(slices.Compact(got)))
	}
}
