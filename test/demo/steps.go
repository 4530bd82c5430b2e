package main

import (
	"context"
	"strings"

	"github.com/postern-auth/postern/test/harness"
)

// step is one request and what must come of it.
type step struct {
	title   string
	request func(context.Context, *stage) (harness.Request, error)
	status  int
	code    string   // of the problem document, when Postern answers
	headers []string // "Name: part of the value" in the answer
	sees    []string // "Name: value" that the upstream must receive; "Name:" that it must not
}

var steps = []step{
	{
		title:   "Public: nobody has to be anybody. The identity that the client claims does not reach the upstream",
		request: get("/public/hello", "X-Auth-Subject: root"),
		status:  200, sees: []string{"X-Auth-Subject:"},
	},
	{
		title:   "No credential: one challenge for each scheme that would do",
		request: get("/orders/1"),
		status:  401, code: "unauthenticated",
		headers: []string{"Www-Authenticate: Bearer", "Www-Authenticate: ApiKey"},
	},
	{
		title:   "API key in a header: the upstream learns who calls, and never sees the key",
		request: get("/orders/1", "X-API-Key: {key}"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme", "X-Auth-Tenant: t1", "X-Api-Key:"},
	},
	{
		title:   "The same key after APPCODE; the identity that the client claims is overwritten",
		request: get("/orders/1", "Authorization: APPCODE {key}", "X-Auth-Subject: root"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme", "Authorization:"},
	},
	{
		title:   "The same key in the query",
		request: get("/orders/1?api_key={key}&page=2"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme"},
	},
	{
		title:   "The same key in a cookie",
		request: get("/orders/1", "Cookie: theme=dark; api_key={key}"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme", "Cookie: theme=dark"},
	},
	{
		title:   "A key that is not ours",
		request: get("/orders/1", "X-API-Key: pk_00000000000000000000000000000000000000000000000000"),
		status:  401, code: "unauthenticated",
	},
	{
		title:   "A token with the scope it takes",
		request: get("/orders/1", "Authorization: Bearer {token}"),
		status:  200, sees: []string{"X-Auth-Subject: alice", "X-Auth-Scopes: orders:read", "Authorization:"},
	},
	{
		title:   "The same token does not have the scope to write",
		request: send("POST", "/orders", "{}", "Authorization: Bearer {token}"),
		status:  403, code: "forbidden", headers: []string{`Www-Authenticate: error="insufficient_scope"`},
	},
	{
		title:   "A token that says it needs no signature",
		request: get("/orders/1", "Authorization: Bearer {unsigned}"),
		status:  401, code: "unauthenticated",
	},
	{
		title:   "AND: an API key alone is half of what payouts take",
		request: get("/payouts", "X-API-Key: {key}"),
		status:  401, code: "unauthenticated",
	},
	{
		title:   "AND: key and token together",
		request: get("/payouts", "X-API-Key: {key}", "Authorization: Bearer {token}"),
		status:  200, sees: []string{"X-Auth-Subject: alice"},
	},
	{
		title:   "A condition: the token's organisation is the one in the path",
		request: get("/orgs/acme", "Authorization: Bearer {token}"),
		status:  200, sees: []string{"X-Auth-Subject: alice"},
	},
	{
		title:   "The same token, another organisation",
		request: get("/orgs/initech", "Authorization: Bearer {token}"),
		status:  403, code: "wrong_org",
	},
	{
		title:   "A signed request (RFC 9421), made by `postern sign`",
		request: signed("signed", "GET", "/reports/daily?day=monday", ""),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme"},
	},
	{
		title:   "The same bytes again: a signature counts once",
		request: func(_ context.Context, s *stage) (harness.Request, error) { return s.last, nil },
		status:  401, code: "unauthenticated", headers: []string{"Accept-Signature: @method"},
	},
	{
		title:   "A signed body",
		request: signed("signed-body", "POST", "/webhooks/payment", `{"paid": 10}`),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme"},
	},
	{
		title: "A signed body, changed on the way",
		request: func(ctx context.Context, s *stage) (harness.Request, error) {
			r, err := signed("signed-body", "POST", "/webhooks/payment", `{"paid": 10}`)(ctx, s)
			r.Body = `{"paid": 99}`
			return r, err
		},
		status: 401, code: "unauthenticated",
	},
	{
		title:   "The same key, signed as Alibaba Cloud API Gateway's clients do",
		request: signed("x-ca", "GET", "/stock?sku=7", ""),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme"},
	},
	{
		title:   "The same key, signed as AWS's clients do (Signature Version 4)",
		request: signed("aws-sigv4", "GET", "/stock?sku=7", ""),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme"},
	},
	{
		title:   "The same key, signed by the draft before RFC 9421",
		request: signed("cavage", "GET", "/stock?sku=7", ""),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/acme"},
	},
	{
		title:   "A webhook from Stripe",
		request: signed("stripe", "POST", "/webhooks/stripe", `{"type": "invoice.paid"}`),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/stripe"},
	},
	{
		title:   "Shadow mode: it would have been denied; the decision log says so",
		request: get("/beta/feature"),
		status:  200, sees: []string{"X-Auth-Subject:"},
	},
	{
		title: "A CORS preflight from the web app needs no credential",
		request: send("OPTIONS", "/orders/1", "",
			"Origin: https://app.example.com", "Access-Control-Request-Method: GET"),
		status: 200,
	},
	{
		title:   "A path with two readings (Envoy refuses it; Postern would too)",
		request: get("/public/..%2forders/1"),
		status:  400,
	},
	{
		title:   "A path that no rule mentions",
		request: get("/admin"),
		status:  403, code: "forbidden",
	},
}

func get(target string, fields ...string) func(context.Context, *stage) (harness.Request, error) {
	return send("GET", target, "", fields...)
}

// send fills the credentials into a request.
func send(method, target, body string, fields ...string) func(context.Context, *stage) (harness.Request, error) {
	return func(_ context.Context, s *stage) (harness.Request, error) {
		issuer := s.shop.Issuer
		fill := strings.NewReplacer(
			"{key}", s.shop.Key,
			"{token}", issuer.Token(map[string]any{"scope": "orders:read", "org": "acme"}),
			"{unsigned}", issuer.Unsigned(map[string]any{"scope": "orders:read"}),
		)
		r := harness.Request{Method: method, Target: fill.Replace(target), Body: body}.With("Host: localhost")
		for _, f := range fields {
			r = r.With(fill.Replace(f))
		}
		return r, nil
	}
}

// signed has the command sign a request for a scheme.
func signed(scheme, method, target, body string) func(context.Context, *stage) (harness.Request, error) {
	return func(ctx context.Context, s *stage) (harness.Request, error) {
		r, err := send(method, target, body)(ctx, s)
		if err != nil {
			return r, err
		}
		return s.sign(ctx, scheme, r)
	}
}
