package authz

import "testing"

func TestChallengeString(t *testing.T) {
	for _, tc := range []struct {
		c    Challenge
		want string
	}{
		{Challenge{Scheme: "ApiKey"}, `ApiKey`},
		{Challenge{Scheme: "ApiKey", Params: []Field{{"realm", "shop"}}}, `ApiKey realm="shop"`},
		{Challenge{Scheme: "Bearer"}.With("realm", "shop").With("error", "invalid_token"), `Bearer realm="shop", error="invalid_token"`},
		{Challenge{Scheme: "A"}.With("realm", `a "b" \c`), `A realm="a \"b\" \\c"`},
		{Challenge{Scheme: "A"}.With("realm", "a\r\nSet-Cookie: x\x00\x7f\t"), "A realm=\"a??Set-Cookie: x??\t\""},
		{Challenge{Scheme: "A"}.With("realm", ""), `A realm=""`},
	} {
		if got := tc.c.String(); got != tc.want {
			t.Errorf("got %s; want %s", got, tc.want)
		}
	}
}

func TestChallengeWithCopies(t *testing.T) {
	base := Challenge{Scheme: "Bearer", Params: append(make([]Field, 0, 8), Field{"realm", "shop"})}
	a, b := base.With("error", "a"), base.With("error", "b")
	if a.String() != `Bearer realm="shop", error="a"` || b.String() != `Bearer realm="shop", error="b"` || base.String() != `Bearer realm="shop"` {
		t.Error(a, b, base)
	}
}
