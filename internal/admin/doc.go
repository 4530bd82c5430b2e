// Package admin serves the admin API (proto/postern/admin/v1): Apps and their keys in a database, their use, and the
// record of every change. It speaks gRPC, gRPC-Web and Connect's JSON on one port.
//
// A call goes through these steps:
//
//  1. [Server] accepts it: with TLS, or from this machine only.
//  2. authenticate finds the caller by its token or its certificate, before anything of the body is read.
//  3. authorize looks up what role the method asks for, and whether the caller has it in the namespace. The table of
//     roles names every method; one that it does not name is refused.
//  4. validate checks the message by the rules that the protos state.
//  5. A method of apps, keys, usage or audit carries it out. Writes go through once: one transaction with the record of
//     who did what, and with the request id, so that a repeated request does nothing.
//
// A key's text exists in the answer to the call that made it. Bodies are never logged.
package admin
