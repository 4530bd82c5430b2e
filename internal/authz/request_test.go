package authz

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSettleBody(t *testing.T) {
	for _, tc := range []struct {
		name    string
		method  string
		headers []Header
		body    string
		size    int64
		want    BodyState
	}{
		{"whole", "POST", headers("content-length", "3"), "abc", 3, BodyWhole},
		{"whole, size unknown", "POST", headers("content-length", "3"), "abc", -1, BodyWhole},
		{"whole, Envoy says so", "POST", headers("content-length", "3", "x-envoy-auth-partial-body", "false"), "abc", 3, BodyWhole},
		{"empty", "POST", headers("content-length", "0"), "", 0, BodyNone},
		{"length with zeros", "POST", headers("content-length", "003"), "abc", 3, BodyWhole},
		{"cut", "POST", headers("content-length", "9"), "abc", 9, BodyPartial},
		{"cut, and the client says it is not", "POST", headers("content-length", "9", "x-envoy-auth-partial-body", "false"), "abc", 3, BodyPartial},
		{"longer than it says", "POST", headers("content-length", "2"), "abc", 3, BodyPartial},
		{"something where nothing was announced", "POST", headers("content-length", "0"), "abc", 3, BodyPartial},
		{"Envoy says cut", "POST", headers("x-envoy-auth-partial-body", "true"), "abc", 3, BodyPartial},
		{"Envoy says cut, after the client's copy", "POST", headers("x-envoy-auth-partial-body", "false", "x-envoy-auth-partial-body", "true"), "abc", 3, BodyPartial},
		{"Envoy says cut, joined with the client's copy", "POST", headers("x-envoy-auth-partial-body", "false,true", "content-length", "3"), "abc", 3, BodyPartial},
		{"not handed over", "POST", headers("content-length", "9"), "", -1, BodyWithheld},
		{"not handed over, and the client says it is whole", "POST", headers("content-length", "9", "x-envoy-auth-partial-body", "false"), "", -1, BodyWithheld},
		{"not handed over, by Envoy's count", "POST", nil, "", 9, BodyWithheld},
		{"GET whose body was not handed over", "GET", nil, "", 9, BodyWithheld},
		{"chunked", "POST", nil, "abc", 3, BodyWhole},
		{"chunked, size unknown", "POST", nil, "abc", -1, BodyWhole},
		{"chunked, cut", "POST", nil, "abc", 4, BodyPartial},
		{"GET with a body", "GET", headers("content-length", "3"), "abc", 3, BodyWhole},
		{"GET", "GET", nil, "", 0, BodyNone},
		{"HEAD", "HEAD", nil, "", -1, BodyNone},
		{"OPTIONS", "OPTIONS", nil, "", -1, BodyNone},
		{"TRACE", "TRACE", nil, "", -1, BodyNone},
		{"POST and no word of a body", "POST", nil, "", -1, BodyUnknown},
		{"DELETE and no word of a body", "DELETE", nil, "", 0, BodyUnknown},
		{"a method in lower case is another method", "get", nil, "", 0, BodyUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &Request{Method: tc.method, Headers: tc.headers, Body: Body{Bytes: []byte(tc.body)}}
			if err := r.SettleBody(tc.size); err != nil || r.Body.State != tc.want {
				t.Errorf("got %v, %v; want %v", r.Body.State, err, tc.want)
			}
		})
	}
}

func TestSettleBodyRefusesBadLengths(t *testing.T) {
	for _, list := range [][]Header{
		headers("content-length", ""), headers("content-length", "-1"), headers("content-length", "+3"), headers("content-length", "3,3"),
		headers("content-length", "0x3"), headers("content-length", "3_0"), headers("content-length", " 3"), headers("content-length", "3.0"),
		headers("content-length", "9223372036854775808"), headers("content-length", "3", "content-length", "3"),
	} {
		r := &Request{Method: "POST", Headers: list, Body: Body{Bytes: []byte("abc")}}
		if err := r.SettleBody(3); !errors.Is(err, errLength) {
			t.Errorf("%v: %v, state %v", list, err, r.Body.State)
		}
		if r.Body.State != BodyUnknown {
			t.Errorf("%v: the body is %v", list, r.Body.State)
		}
	}
}

// FuzzSettleBody holds the one promise: a body is whole only if nothing contradicts it.
func FuzzSettleBody(f *testing.F) {
	f.Add("POST", "3", "false", 3, int64(3))
	f.Add("GET", "", "true", 0, int64(-1))
	f.Fuzz(func(t *testing.T, method, length, partial string, got int, size int64) {
		r := &Request{Method: method, Body: Body{Bytes: make([]byte, max(0, got)%4096)}}
		if length != "" {
			r.Headers = append(r.Headers, Header{"content-length", length})
		}
		if partial != "" {
			r.Headers = append(r.Headers, Header{"x-envoy-auth-partial-body", partial})
		}
		err := r.SettleBody(size)
		n := int64(len(r.Body.Bytes))
		if r.Body.State == BodyWhole && (err != nil || partial == "true" || n == 0 || length == "" && size > n) {
			t.Fatalf("whole: method %q, length %q, partial %q, %d bytes of %d, %v", method, length, partial, n, size, err)
		}
		if r.Body.State == BodyNone && (err != nil || n > 0) {
			t.Fatalf("none: %d bytes, %v", n, err)
		}
	})
}

func TestHeader(t *testing.T) {
	r := &Request{Headers: headers("a", "1", "b", "2", "a", "3"), ContextExtensions: []Field{{"x", "y"}}}
	if v, n := r.Header("a"); v != "1" || n != 2 {
		t.Errorf("%q, %d", v, n)
	}
	if v, n := r.Header("c"); v != "" || n != 0 {
		t.Errorf("%q, %d", v, n)
	}
	if r.ContextExtension("x") != "y" || r.ContextExtension("z") != "" {
		t.Error("ContextExtension")
	}
}

func TestIsGRPC(t *testing.T) {
	for ct, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=x": true,
		"application/grpc-web": false, "application/json": false, "": false,
	} {
		if got := (&Request{Headers: headers("content-type", ct)}).IsGRPC(); got != want {
			t.Errorf("%q: %v", ct, got)
		}
	}
}

func TestResetKeepsNothing(t *testing.T) {
	r := &Request{
		ID: "1", Method: "GET", Headers: headers("a", "1"), ContextExtensions: []Field{{"x", "y"}}, RouteMetadata: []Field{{"m", "n"}},
		Body: Body{Bytes: []byte("b"), State: BodyWhole}, Now: time.Now(), Route: Route{Host: "h"},
	}
	kept := r.Headers
	r.Reset()
	if diff := cmp.Diff(&Request{}, r, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if cap(r.Headers) != cap(kept) || kept[0] != (Header{}) {
		t.Error("the headers' memory is not kept, or not cleared")
	}
}

func TestWithin(t *testing.T) {
	type keyType struct{}
	parent, cancelParent := context.WithCancelCause(context.WithValue(context.Background(), keyType{}, "v"))
	defer cancelParent(nil)

	past := &Request{Deadline: time.Now().Add(-time.Second)}
	ctx, cancel := past.Within(parent)
	if <-ctx.Done(); !errors.Is(ctx.Err(), context.DeadlineExceeded) || ctx.Value(keyType{}) != "v" {
		t.Error("a past deadline does not end the context")
	}
	cancel()

	future := &Request{Deadline: time.Now().Add(time.Hour)}
	ctx, cancel = future.Within(parent)
	if at, ok := ctx.Deadline(); !ok || !at.Equal(future.Deadline) || ctx.Err() != nil {
		t.Errorf("deadline %v, %v; err %v", at, ok, ctx.Err())
	}
	child, cancelChild := context.WithCancel(ctx)
	defer cancelChild()
	cancel()
	if <-child.Done(); !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(child.Err(), context.Canceled) {
		t.Error("cancel does not reach a child")
	}

	ctx, cancel = future.Within(parent)
	cancel()
	cancel()
	if <-ctx.Done(); !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("a context cancelled before its first use goes on")
	}

	soon, cancelSoon := context.WithDeadline(parent, time.Now().Add(time.Minute))
	defer cancelSoon()
	ctx, cancel = future.Within(soon)
	defer cancel()
	if at, _ := ctx.Deadline(); !at.Before(future.Deadline) {
		t.Error("the parent's nearer deadline is not told")
	}
	cancelParent(errors.New("gone"))
	if <-ctx.Done(); context.Cause(ctx).Error() != "gone" {
		t.Errorf("cause %v", context.Cause(ctx))
	}

	ctx, cancel = (&Request{}).Within(context.Background())
	defer cancel()
	if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
		t.Error("a request without a deadline has one")
	}
}

func BenchmarkWithinUnused(b *testing.B) {
	r := &Request{Deadline: time.Now().Add(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		_, cancel := r.Within(b.Context())
		cancel()
	}
}
