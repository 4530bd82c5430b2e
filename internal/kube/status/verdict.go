package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// verdict is what came of an object.
type verdict struct {
	reason   v1alpha1.Reason
	message  string // of Accepted; empty if the reason is Accepted
	withheld bool   // this generation is not in force, not even in part
	targets  []attach.Target
}

// severity orders reasons, the most severe first. One that is not in it is as severe as Invalid.
var severity = []v1alpha1.Reason{
	v1alpha1.ReasonInvalid, v1alpha1.ReasonSchemeNotFound, v1alpha1.ReasonSecretNotFound,
	v1alpha1.ReasonTargetNotFound, v1alpha1.ReasonNotGranted, v1alpha1.ReasonConflicted, v1alpha1.ReasonAccepted,
}

func rank(r v1alpha1.Reason) int { return max(0, slices.Index(severity, r)) }

// withholds reports whether an error keeps the whole object from coming into force. The others take away one host, target
// or match.
func withholds(r v1alpha1.Reason) bool { return rank(r) < rank(v1alpha1.ReasonTargetNotFound) }

// problem is one thing that is wrong with an object.
type problem struct {
	reason v1alpha1.Reason
	text   string
}

// judge sums up what is wrong with an object, and what became of it on its targets: the most severe reason wins, and
// the message lists them all.
func judge(errs v1alpha1.Errors, targets []attach.Target) verdict {
	var problems []problem
	for _, e := range errs {
		problems = append(problems, problem{cmp.Or(e.Reason, v1alpha1.ReasonInvalid), describe(e)})
	}
	for i := range targets {
		if t := &targets[i]; t.Reason != v1alpha1.ReasonAccepted {
			problems = append(problems, problem{t.Reason, targetName(&t.Ref) + ": " + t.Message})
		}
	}
	v := verdict{reason: v1alpha1.ReasonAccepted, targets: targets}
	if len(problems) == 0 {
		return v
	}
	slices.SortStableFunc(problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(rank(a.reason), rank(b.reason)), strings.Compare(a.text, b.text))
	})
	problems = slices.Compact(problems)
	v.reason, v.withheld = problems[0].reason, withholds(problems[0].reason)
	v.message = list(problems)
	return v
}

// describe prints an error without its object, whose status it stands in.
func describe(e *v1alpha1.Error) string {
	return (&v1alpha1.Error{Field: e.Field, Message: e.Message, Remedy: e.Remedy}).Error()
}

// targetName returns the target as messages name it: "Gateway infra/public, section https".
func targetName(r *v1alpha1.TargetReference) string {
	name := key{r.Kind, r.Namespace, r.Name}.String()
	if r.SectionName != "" {
		name += ", section " + r.SectionName
	}
	return name
}

const (
	maxMessage = 1024 // bytes of a condition's message, and of an Event's note, where it is the API's bound
	maxList    = 900  // bytes of problems listed in one: something may follow
)

// list joins the problems. Those for which there is no room are counted.
func list(problems []problem) string {
	text := cut(problems[0].text, maxList)
	for i, p := range problems[1:] {
		if len(text)+len(p.text) > maxList {
			return fmt.Sprintf("%s. And %d more", text, len(problems)-1-i)
		}
		text += ". " + p.text
	}
	return text
}

// cut shortens a text to a number of bytes.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const ellipsis = "…"
	end := most - len(ellipsis)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
