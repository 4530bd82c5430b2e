package v1alpha1

// DeclaredApp is the App that a document declares. What decides is made of it once, while the App itself is dozens of
// objects that the garbage collector would follow for ever. So whoever has made that releases it, and it is decoded again
// from the document's text should anybody need it again. It is not safe for concurrent use.
//
// +kubebuilder:object:generate=false
type DeclaredApp struct {
	app  *App   // nil: released
	text []byte // nil: it came from elsewhere, and is never released
}

// Read returns the App, which must not be changed.
func (d *DeclaredApp) Read() *App {
	if d.app == nil {
		d.app = decode(Origin{text: d.text}, nil).App.app // it was without error before
	}
	return d.app
}

// Release lets go of the App until somebody reads it again.
func (d *DeclaredApp) Release() {
	if d.text != nil {
		d.app = nil
	}
}
