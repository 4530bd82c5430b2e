package extauthz

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/listen"
)

// poison is a buffer pool that overwrites what comes back to it before anybody else gets it.
type poison struct {
	mem.NopBufferPool
	freed chan *[]byte
}

func (p poison) Put(b *[]byte) {
	full := (*b)[:cap(*b)]
	for i := range full {
		full[i] = 0xa5
	}
	select {
	case p.freed <- b:
	default:
	}
}

// echo answers with what the request holds, uncloned.
var echo = checkFunc(func(_ context.Context, r *authz.Request) authz.Decision {
	token, _ := r.Header("x-token")
	d := authz.Allow(authz.ReasonAuthenticated, authz.Mutation{
		Set: []authz.Header{{Name: "x-echo", Value: token}}, Remove: []string{r.Headers[0].Name}, RemoveParams: []string{r.Query},
	})
	d.Policy, d.Rule = r.Route.Host, r.Route.Path
	d.Principal = &authz.Principal{Subject: token, App: r.ContextExtension("app")}
	return d
})

func tokenRequest(token string) *authv3.CheckRequest {
	m := httpRequest(func(h *httpAttributes) {
		h.HeaderMap, h.Path = headerMap("x-token", token), "/p?"+token
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, headerMap("x-request-id", "id").Headers...)
	})
	m.Attributes.ContextExtensions = map[string]string{"app": token}
	return m
}

// TestNothingOutlivesTheCall overwrites the receive buffer as soon as the exchange lets it go: the answer stays what it
// was, and the pooled Request holds nothing of it.
func TestNothingOutlivesTheCall(t *testing.T) {
	s := &Server{checker: echo}
	pool := poison{freed: make(chan *[]byte, 1)}
	token := strings.Repeat("t", 2000)
	message := marshal(t, tokenRequest(token))
	data := mem.NewBuffer(&message, pool)

	x := new(exchange)
	if err := newCodec(1<<20).Unmarshal(mem.BufferSlice{data}, x); err != nil {
		t.Fatal(err)
	}
	data.Free() // as grpc does
	if len(pool.freed) != 0 {
		t.Fatal("the receive buffer was free before the check")
	}
	s.answer(t.Context(), x)
	out, err := newCodec(1 << 20).Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	before := string(out.Materialize())
	x.release()
	if len(pool.freed) != 1 {
		t.Fatal("the receive buffer is not free after the call")
	}
	if after := string(out.Materialize()); after != before || !strings.Contains(after, token) {
		t.Errorf("the answer changed from %q to %q", before, after)
	}
	out.Free()
	headers := x.request.Headers
	if got := headers[:cap(headers)]; !reflect.DeepEqual(got, make([]authz.Header, len(got))) {
		t.Errorf("the pooled Request still holds %v", got)
	}
	x.request.Headers, x.request.ContextExtensions, x.request.RouteMetadata = nil, nil, nil
	if !reflect.DeepEqual(x.request, authz.Request{}) || x.received != nil || x.response != nil {
		t.Errorf("the pooled exchange still holds %+v", x)
	}
}

// TestBuffersUnderLoad does the same through grpc, with many calls that would see each other's bytes.
func TestBuffersUnderLoad(t *testing.T) {
	s := &Server{checker: echo}
	s.grpc = grpc.NewServer(append(serverOptions(1<<20), experimental.BufferPool(poison{}))...)
	s.grpc.RegisterService(&serviceDesc, s)
	lis, err := listen.On("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(lis) })
	defer serving.Wait()
	defer s.grpc.Stop()
	client := authv3.NewAuthorizationClient(dial(t, lis.Addr()))
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for call := range 50 {
				// From one that fits a frame to one that takes several.
				token := strings.Repeat(fmt.Sprintf("%d.%d-", caller, call), 1+call*10)
				token = token[:min(len(token), maxHeaderValue)]
				m := tokenRequest(token)
				m.Attributes.Request.Http.RawBody = make([]byte, call*1000)
				out, err := client.Check(t.Context(), m)
				if err != nil {
					t.Error(err)
					return
				}
				ok, facts := out.GetOkResponse(), out.GetDynamicMetadata().GetFields()
				got := []string{
					ok.GetHeaders()[0].GetHeader().GetValue(), ok.GetHeadersToRemove()[0], ok.GetQueryParametersToRemove()[0],
					facts["subject"].GetStringValue(), facts["app"].GetStringValue(), facts["policy"].GetStringValue(),
				}
				if want := []string{token, "x-token", token, token, token, "shop.test"}; !slices.Equal(got, want) {
					t.Errorf("call %d of %d got another's answer: %v", call, caller, out)
				}
			}
		})
	}
	callers.Wait()
}
