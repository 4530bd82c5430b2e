package v1alpha1

// filesNamed returns an error for every file that the document's object names: nothing in a cluster has a directory
// that a path could be relative to.
func (d *Document) filesNamed() Errors {
	switch {
	case d.App != nil:
		app := d.App.Read()
		c := &checker{kind: KindApp, meta: &app.ObjectMeta}
		for i := range app.Spec.Credentials {
			if s := app.Spec.Credentials[i].Signing; s != nil && s.Secret != nil {
				c.noFile(path("spec.credentials").index(i)+".signing.secret", secretRefRemedy)
			}
		}
		return c.errs
	case d.Scheme != nil && d.Scheme.Spec.JWT != nil:
		c := &checker{kind: KindAuthScheme, meta: &d.Scheme.ObjectMeta}
		for i := range d.Scheme.Spec.JWT.Issuers {
			at, issuer := path("spec.jwt.issuers").index(i), &d.Scheme.Spec.JWT.Issuers[i]
			if issuer.Secret != nil {
				c.noFile(at+".secret", secretRefRemedy)
			}
			if issuer.JWKS != nil && issuer.JWKS.File != "" {
				c.noFile(at+".jwks.file", "set uri, inline or secretRef")
			}
		}
		return c.errs
	default:
		return nil
	}
}

const secretRefRemedy = "keep the value in a Secret of this namespace, and name that in secretRef"

func (c *checker) noFile(at path, remedy string) {
	c.errorf(at, remedy, "names a file, and an object of a cluster has none")
}
