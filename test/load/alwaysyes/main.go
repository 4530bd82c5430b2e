// Command alwaysyes is the yardstick that Postern's cost is measured against: the plainest ext_authz server one can
// write with grpc-go and the generated protobuf types. It reads nothing of a request, and allows it with one header.
//
// With -verify it also checks one ES256 signature a request, with Go's crypto and nothing around it.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"flag"
	"log"
	"net"
	"sync/atomic"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

type server struct {
	authv3.UnimplementedAuthorizationServer

	signatures *signatures // nil: none is checked
}

// Check allows.
func (s server) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	if s.signatures != nil {
		s.signatures.check()
	}
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{
				Header:       &corev3.HeaderValue{Key: "x-auth-subject", Value: "anybody"},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		}},
	}, nil
}

// signatures are good ones, to be checked in turn.
type signatures struct {
	key  *ecdsa.PublicKey
	list []signature
	next atomic.Uint64
}

type signature struct{ digest, text []byte }

func newSignatures() (*signatures, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &signatures{key: &key.PublicKey, list: make([]signature, 1024)}
	for i := range s.list {
		digest := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		text, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		s.list[i] = signature{digest[:], text}
	}
	return s, nil
}

func (s *signatures) check() {
	one := s.list[s.next.Add(1)%uint64(len(s.list))]
	if !ecdsa.VerifyASN1(s.key, one.digest, one.text) {
		panic("a good signature does not hold")
	}
}

func main() {
	address := flag.String("address", "127.0.0.1:9001", "where to listen")
	verify := flag.Bool("verify", false, "check one ES256 signature a request")
	flag.Parse()
	var srv server
	if *verify {
		var err error
		if srv.signatures, err = newSignatures(); err != nil {
			log.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, srv)
	log.Fatal(s.Serve(l))
}
