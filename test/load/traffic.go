package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// traffic makes the requests of one scenario. It is called once for each worker; the function it returns gives that
// worker's next message, good until it is called again.
type traffic func(worker int) (next func() []byte, err error)

const (
	ordersPath   = "/v1/orders/42?expand=items&page=2"
	paymentsPath = "/v1/payments/7"
	paymentQuery = "currency=EUR"
)

// withKeys presents API keys to hosts, each chosen at random.
func withKeys(keys, hosts []string) traffic {
	return func(worker int) (func() []byte, error) {
		key, host := placeholder("K", len(keys[0])), placeholder("H", len(hosts[0]))
		m, err := newMessage(host, ordersPath, [][2]string{{"x-api-key", key}}, key, host)
		if err != nil {
			return nil, err
		}
		random := rand.New(rand.NewPCG(uint64(worker), 1)) // any choice will do
		return func() []byte {
			m.fill(key, keys[random.IntN(len(keys))])
			m.fill(host, hosts[random.IntN(len(hosts))])
			return m.bytes
		}, nil
	}
}

// withTokens presents tokens from a list again and again.
func withTokens(tokens []string, host string) traffic {
	return func(worker int) (func() []byte, error) {
		hole := placeholder("T", len(tokens[0]))
		m, err := newMessage(host, ordersPath, [][2]string{{"authorization", "Bearer " + hole}}, hole)
		if err != nil {
			return nil, err
		}
		random := rand.New(rand.NewPCG(uint64(worker), 2)) // any choice will do
		return func() []byte {
			m.fill(hole, tokens[random.IntN(len(tokens))])
			return m.bytes
		}, nil
	}
}

// withNewTokens presents a token that nobody has seen with every request.
func withNewTokens(i *issuer, host string) traffic {
	return func(int) (func() []byte, error) {
		now := time.Now()
		first, err := i.token(0, now)
		if err != nil {
			return nil, err
		}
		hole := placeholder("T", len(first))
		m, err := newMessage(host, ordersPath, [][2]string{{"authorization", "Bearer " + hole}}, hole)
		if err != nil {
			return nil, err
		}
		return func() []byte {
			token, err := i.token(rand.Uint64(), now) // any number will do
			if err != nil {
				panic(err) // it worked a moment ago
			}
			m.fill(hole, token)
			return m.bytes
		}, nil
	}
}

// withSignatures signs every request anew.
func withSignatures(keyID string, secret []byte, host string) traffic {
	return func(int) (func() []byte, error) {
		s := newSigner(keyID, secret, host, paymentsPath, paymentQuery)
		s.n = rand.Uint64() // where the nonces of a worker begin
		input, signature := s.next(time.Now())
		inputHole, signatureHole := placeholder("I", len(input)), placeholder("S", len(signature))
		m, err := newMessage(host, paymentsPath+"?"+paymentQuery,
			[][2]string{{"signature-input", inputHole}, {"signature", signatureHole}}, inputHole, signatureHole)
		if err != nil {
			return nil, err
		}
		return func() []byte {
			input, signature := s.next(time.Now())
			m.fill(inputHole, input)
			m.fill(signatureHole, signature)
			return m.bytes
		}, nil
	}
}

// tokens returns n tokens of the issuer.
func tokens(i *issuer, n int) ([]string, error) {
	list := make([]string, n)
	for j := range list {
		var err error
		if list[j], err = i.token(uint64(j), time.Now()); err != nil {
			return nil, fmt.Errorf("signing a token: %w", err)
		}
	}
	return list, nil
}
