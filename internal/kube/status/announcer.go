package status

import (
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// How many Events of a type are made. When thousands of objects change at once the first of them are announced, and the
// rest only have their statuses, which say the same and cost the API server as much: nobody reads a flood. Types are
// counted apart, so that good news never takes the place of a warning.
const (
	eventsAtOnce    = 100
	eventsPerSecond = 10
)

// repeatAfter is when an Event of a Secret that is still bad is made again. It has no status, and the API server forgets
// Events after an hour, unless it is told otherwise.
const repeatAfter = 45 * time.Minute

// announcer makes Events.
type announcer struct {
	recorder events.EventRecorder
	limits   map[string]flowcontrol.PassiveRateLimiter // by type
	said     map[key]said                              // of Secrets
}

// said is what an Event told of a Secret.
type said struct {
	complaint complaint
	at        time.Time
}

func newAnnouncer(recorder events.EventRecorder) *announcer {
	return &announcer{recorder: recorder, said: map[key]said{}, limits: map[string]flowcontrol.PassiveRateLimiter{
		corev1.EventTypeNormal:  flowcontrol.NewTokenBucketPassiveRateLimiter(eventsPerSecond, eventsAtOnce),
		corev1.EventTypeWarning: flowcontrol.NewTokenBucketPassiveRateLimiter(eventsPerSecond, eventsAtOnce),
	}}
}

// event makes an Event, and reports whether there was room for it.
func (a *announcer) event(regarding runtime.Object, kind, reason, note string) bool {
	room := a.limits[kind].TryAccept()
	if room {
		a.recorder.Eventf(regarding, nil, kind, reason, "Load", "%s", note)
	}
	return room
}

// change makes an Event of each change of state: of Accepted, and of what is wrong; of being overridden; and of a
// generation by which every replica decides.
func (a *announcer) change(before, now client.Object) {
	was := func(kind string) *metav1.Condition { return meta.FindStatusCondition(*conditionsOf(before), kind) }
	is := func(kind string) *metav1.Condition { return meta.FindStatusCondition(*conditionsOf(now), kind) }
	old, accepted := was(v1alpha1.ConditionAccepted), is(v1alpha1.ConditionAccepted)
	switch {
	case accepted == nil || old != nil && old.Reason == accepted.Reason && old.Message == accepted.Message:
	case accepted.Status == metav1.ConditionTrue:
		a.event(now, corev1.EventTypeNormal, accepted.Reason,
			fmt.Sprintf("generation %d is %s", accepted.ObservedGeneration, accepted.Message))
	default:
		a.event(now, corev1.EventTypeWarning, accepted.Reason, accepted.Message)
	}
	if o := is(v1alpha1.ConditionOverridden); o != nil && was(v1alpha1.ConditionOverridden) == nil {
		a.event(now, corev1.EventTypeNormal, o.Reason, o.Message)
	}
	old, programmed := was(v1alpha1.ConditionProgrammed), is(v1alpha1.ConditionProgrammed)
	if holds(programmed) && (!holds(old) || old.ObservedGeneration != programmed.ObservedGeneration) {
		a.event(now, corev1.EventTypeNormal, programmed.Reason, programmed.Message)
	}
}

func holds(c *metav1.Condition) bool { return c != nil && c.Status == metav1.ConditionTrue }

// secrets makes an Event of each Secret that is bad, once for what is wrong with it and then from time to time. Those for
// which there is no room have their turn at a later look.
func (a *announcer) secrets(bad map[key]complaint, now time.Time) {
	maps.DeleteFunc(a.said, func(k key, _ said) bool { return bad[k] == complaint{} })
	for k, c := range bad {
		if last := a.said[k]; last.complaint == c && now.Sub(last.at) < repeatAfter {
			continue
		}
		ref := &corev1.ObjectReference{APIVersion: "v1", Kind: k.kind, Namespace: k.namespace, Name: k.name, UID: c.uid}
		if !a.event(ref, corev1.EventTypeWarning, c.reason, c.message) {
			return
		}
		a.said[k] = said{c, now}
	}
}
