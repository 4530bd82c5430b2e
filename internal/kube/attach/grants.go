package attach

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// grant is what a ReferenceGrant gives: policies of a namespace may be attached to the target. A target without a name
// stands for all of its kind.
type grant struct {
	from string
	to   object
}

type grants map[grant]bool

func newGrants(list []*gatewayv1.ReferenceGrant) grants {
	g := make(grants)
	for _, r := range list {
		for _, from := range r.Spec.From {
			if from.Group != v1alpha1.Group || from.Kind != v1alpha1.KindAuthPolicy {
				continue
			}
			for _, to := range r.Spec.To {
				if to.Group == v1alpha1.GatewayGroup {
					g[grant{string(from.Namespace), object{string(to.Kind), r.Namespace, string(valueOr(to.Name, ""))}}] = true
				}
			}
		}
	}
	return g
}

// allow reports whether policies of the namespace may be attached to the target.
func (g grants) allow(namespace string, target object) bool {
	all := target
	all.name = ""
	return namespace == target.namespace || g[grant{namespace, target}] || g[grant{namespace, all}]
}
