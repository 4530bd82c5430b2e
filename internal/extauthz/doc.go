// Package extauthz is the wire: it serves Envoy's gRPC service envoy.service.auth.v3.Authorization and stands between
// its bytes and the words of authz. It does not decide; a [Checker] does.
//
// One call, on one goroutine, in one exchange:
//
//	receive  codec.Unmarshal   keeps a reference to the receive buffer; nothing is copied
//	decode   decode            scans the CheckRequest into a pooled authz.Request whose strings alias that buffer
//	refuse   Canonicalize      what is malformed, too large or has two readings is denied here, unseen by the Checker
//	check    Checker.Check     everything else
//	encode   appendResponse    writes the CheckResponse into a pooled buffer, which copies all that it needs
//	answer   stream.SendMsg    hands that buffer to grpc, which returns it to its pool once it is written
//	release  exchange.release  empties the Request and lets the receive buffer go
//
// Generated protobuf types appear in the tests only. There they are the oracle: decode accepts nothing that they
// refuse and reads every field as they do, and what appendResponse writes they read back as it was meant.
//
// # Every call is answered with a decision
//
// Envoy applies failure_mode_allow to RPC errors and timeouts, but never to a denied_response. So a request that
// cannot be decoded, a panic, and an answer that cannot be sent as it stands all become denials; the only errors
// this package returns to grpc are those of a client that is gone or does not speak the protocol. One limit remains:
// a message beyond what grpc may receive at all (see [Options.BodyLimit]) is an error that grpc answers by itself.
//
// # What is refused that protobuf would accept
//
//   - More than [MaxHeaders] header fields or [MaxHeaderBytes] bytes of them.
//   - Header names that are not tokens, values with NUL, CR or LF.
//   - Pseudo-headers (or a host field) that contradict the fields method, path, host and scheme. Envoy fills both
//     from the same place; where they differ something has rewritten one, and the upstream may believe the other.
//   - Both headers and header_map, both body and raw_body, a query or fragment outside path. Envoy sends none of it.
//   - Route metadata with a name or a kind given twice, deeper than 16 levels, or of more than 256 values.
//
// A name that stands twice in headers, a map, becomes a repeated header field, where protobuf would keep the last:
// Envoy never sends that, and a repeated credential is then refused as any other.
package extauthz
