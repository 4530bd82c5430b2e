package extauthz

import (
	"slices"
	"strconv"

	"github.com/postern-auth/postern/internal/authz"
)

// appendResponse appends the CheckResponse for a decision. An error says that some value of it cannot be sent as it
// stands; then nothing of the result may be.
//
// A denial always has both a status other than OK and a denied_response: to Envoy either one alone could be an allow.
func appendResponse(b []byte, r *authz.Request, d *authz.Decision) ([]byte, error) {
	w := writer{b: b}
	if d.Allowed() {
		w.status(0)
		w.okResponse(d)
	} else {
		class := denialClass(d)
		w.status(class.GRPCStatus())
		w.deniedResponse(r, d, class)
	}
	w.metadata(d)
	return w.b, w.err
}

// denialClass is the class of a decision that does not allow. One that carries an allowing Reason all the same was not
// made by authz.Deny: nobody can tell what it means.
func denialClass(d *authz.Decision) authz.Class {
	if c := d.Reason.Class(); c != authz.ClassAllowed {
		return c
	}
	return authz.ClassUnavailable
}

// status writes CheckResponse.status, a google.rpc.Status.
func (w *writer) status(code int) {
	status := w.open(1)
	if code != 0 {
		w.number(1, uint64(code))
	}
	w.close(status)
}

// okResponse writes CheckResponse.ok_response.
func (w *writer) okResponse(d *authz.Decision) {
	m := d.Mutation()
	ok := w.open(3)
	for i := range m.Set {
		w.setHeader(2, m.Set[i].Name, m.Set[i].Value)
	}
	for _, name := range m.Remove {
		w.text(5, name)
	}
	w.headers(6, d.ResponseHeaders)
	for _, name := range m.RemoveParams {
		w.text(8, name)
	}
	w.close(ok)
}

// deniedResponse writes CheckResponse.denied_response.
//
// Envoy turns it into a trailers-only response for a gRPC caller: the body becomes grpc-message and the grpc-status
// given here is kept, where Envoy's own translation of the HTTP status would make 400 and 413 something else.
func (w *writer) deniedResponse(r *authz.Request, d *authz.Decision, class authz.Class) {
	denied := w.open(2)
	status := w.open(1)
	w.number(1, uint64(class.HTTPStatus()))
	w.close(status)

	isGRPC := r.IsGRPC()
	if isGRPC {
		w.setHeader(2, "grpc-status", strconv.Itoa(class.GRPCStatus()))
	} else {
		w.setHeader(2, "content-type", "application/problem+json")
	}
	w.setHeader(2, "cache-control", "no-store")
	if class == authz.ClassUnavailable {
		w.setHeader(2, "retry-after", "1")
	}
	for _, challenge := range d.Challenges {
		w.addHeader(2, "www-authenticate", challenge)
	}
	headers, explanation := d.ResponseHeaders, ""
	if x := d.Explanation; x != nil {
		headers, explanation = slices.Concat(headers, x.Headers), x.Text
	}
	w.headers(2, headers)

	body := w.open(3)
	if isGRPC {
		w.b = append(w.b, class.Title()...)
	} else {
		w.b = appendProblem(w.b, class, d.Code, r.ID, explanation)
	}
	w.close(body)
	w.close(denied)
}

// headers writes response headers. One replaces what there is of its name; several of one name are added, all of them,
// for Envoy adds before it replaces.
func (w *writer) headers(field byte, list []authz.Header) {
	for i, h := range list {
		same := func(o authz.Header) bool { return o.Name == h.Name }
		if slices.ContainsFunc(list[:i], same) || slices.ContainsFunc(list[i+1:], same) {
			w.addHeader(field, h.Name, h.Value)
		} else {
			w.setHeader(field, h.Name, h.Value)
		}
	}
}

// metadata writes CheckResponse.dynamic_metadata, a Struct, for Envoy's access log and later filters. What is not
// known is left out.
func (w *writer) metadata(d *authz.Decision) {
	metadata := w.open(4)
	w.fact("decision", d.Verdict())
	w.fact("reason", d.Reason.String())
	w.fact("policy", d.Policy)
	w.fact("rule", d.Rule)
	w.fact("scheme", d.Scheme)
	if p := d.Principal; p != nil {
		w.fact("subject", p.Subject)
		w.fact("app", p.App)
		w.fact("key_id", p.KeyID)
		w.scopes(p.Scopes)
	}
	w.close(metadata)
}

// fact writes an entry of Struct.fields whose Value is a string.
func (w *writer) fact(name, value string) {
	if value == "" {
		return
	}
	entry := w.open(1)
	w.ascii(1, name)
	v := w.open(2)
	w.text(3, value)
	w.close(v)
	w.close(entry)
}

// scopes writes an entry of Struct.fields whose Value is a ListValue of strings.
func (w *writer) scopes(all authz.Scopes) {
	if all == (authz.Scopes{}) {
		return
	}
	entry := w.open(1)
	w.ascii(1, "scopes")
	v := w.open(2)
	list := w.open(6)
	for s := range all.All() {
		element := w.open(1)
		w.text(3, s)
		w.close(element)
	}
	w.close(list)
	w.close(v)
	w.close(entry)
}
