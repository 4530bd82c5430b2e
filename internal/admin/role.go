package admin

import (
	"maps"
	"slices"

	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
)

// role is what a caller may do in a namespace. Each includes those before it.
type role int

const (
	nobody   role = iota
	viewer        // reads
	operator      // also issues, changes, rotates and revokes keys
	admin         // also makes, changes and deletes Apps, imports and deletes keys
)

var roleNames = map[string]role{"viewer": viewer, "operator": operator, "admin": admin}

// String returns the name in a callers file.
func (r role) String() string {
	for name, value := range roleNames {
		if value == r {
			return name
		}
	}
	return "nobody"
}

// required says which role each method takes. A method that is not here is refused.
var required = map[string]role{
	adminv1connect.AppServiceCreateAppProcedure: admin,
	adminv1connect.AppServiceGetAppProcedure:    viewer,
	adminv1connect.AppServiceListAppsProcedure:  viewer,
	adminv1connect.AppServiceUpdateAppProcedure: admin,
	adminv1connect.AppServiceDeleteAppProcedure: admin,

	adminv1connect.KeyServiceIssueKeyProcedure:   operator,
	adminv1connect.KeyServiceImportKeysProcedure: admin,
	adminv1connect.KeyServiceGetKeyProcedure:     viewer,
	adminv1connect.KeyServiceListKeysProcedure:   viewer,
	adminv1connect.KeyServiceUpdateKeyProcedure:  operator,
	adminv1connect.KeyServiceRotateKeyProcedure:  operator,
	adminv1connect.KeyServiceRevokeKeyProcedure:  operator,
	adminv1connect.KeyServiceDeleteKeyProcedure:  admin,

	adminv1connect.UsageServiceQueryUsageProcedure:      viewer,
	adminv1connect.AuditServiceListAuditEventsProcedure: viewer,
}

// everywhere stands for all namespaces in a callers file.
const everywhere = "*"

// roles are what a caller has, by namespace.
type roles map[string]role

// in returns the role in the namespace; in "", the greatest in any.
func (r roles) in(namespace string) role {
	if namespace == "" {
		greatest := nobody
		for _, one := range r {
			greatest = max(greatest, one)
		}
		return greatest
	}
	return max(r[everywhere], r[namespace])
}

// namespaces returns those in which the caller may read; nil stands for all.
func (r roles) namespaces() []string {
	if r[everywhere] >= viewer {
		return nil
	}
	return slices.Sorted(maps.Keys(r))
}
