package authz

// Credential is a secret as presented, and where it was found. Its text aliases the request.
type Credential struct {
	Value Secret

	in    *Locations // nil: nothing to strip
	found uint64     // bit i: in.list[i] held it
}

// Strip records in m what must be taken out of the request so that the credential does not reach the upstream.
// It does nothing for a credential that is to be forwarded, or one that is not a bearer secret.
func (c Credential) Strip(r *Request, m *Mutation) {
	if c.in == nil {
		return
	}
	for i := range c.in.list {
		if c.found&(1<<i) == 0 {
			continue
		}
		switch at := &c.in.list[i]; {
		case at.Header != "":
			m.RemoveHeader(at.Header)
		case at.Query != "":
			_ = EachParam(r.Query, func(raw, _ string) error {
				if ParamNamed(raw, at.Query) {
					m.RemoveParam(raw)
				}
				return nil
			})
		default:
			m.dropCookie(r, at.Cookie)
		}
	}
}
