// Package replay remembers what has been accepted, so that it counts once.
//
// A verifier asks [Memory.First] with a digest of what was proved, as the last thing it does. [Local] is a Memory in
// this process; [Redis] is one that replicas share and that outlives them.
//
// # How a replay could get past Redis
//
// A wrong yes lets a replay through; an error costs a client another signature. So whatever cannot be told is an error.
//
//   - Several replicas ask at once: one script looks and remembers, and Redis runs scripts one after the other.
//   - Redis is down, hung, slow, read-only, full, or denies a command: that is an error. Nothing is answered in its
//     stead, and nothing is asked twice. A question that timed out may still be remembered; then the client signs anew.
//   - A reply comes out of turn: it names its question, and one that names another is an error.
//   - Redis is flushed, or restarts empty: a marker beside the keys says since when Redis remembers. A script that finds
//     none sets it to now, and a key that could have been accepted before then is an error.
//   - Redis restarts from a snapshot or a log that lacks its last moments, or a replica takes over that lagged behind:
//     the marker is there, and something is missing. So it names the process that wrote it (run_id), and the memory
//     begins anew where another finds it. [RedisOptions.Durable] is for those who know that nothing is ever missing.
//   - Redis evicts keys to make room: it counts what it evicts, the marker holds the count, and [Redis.Watch] compares
//     the two twice a second and has the memory begin anew. Half a second is a gap: set maxmemory-policy noeviction.
//   - Redis drops a key too early, by a clock that differs: its reply holds its time, and one that is more than two
//     seconds from ours is an error. Keys are kept for twice that beyond their time.
//
// Times. The marker is in Redis's time; when a key could first have been accepted is told by the clocks of replicas. A
// replica that Redis has answered was within two seconds of it. If one accepted a key before the marker was set, then
// it did so no later than two seconds past the marker. Twice that is allowed for, so that the clock of a Redis that
// takes over may differ by two seconds from that of the one before.
//
// What this asks of the operator. All replicas are given the same Redis: one primary, or an address that leads to it,
// of version 6.2 or later (Valkey: any). It is no active-active database, in which two sites answer at once, and while
// two servers both take themselves for the primary each remembers for itself; min-replicas-to-write keeps that short.
// Who may write to it can undo it: give Postern a user of its own (see [Redis]) and, beyond one machine, TLS. It does
// not speak the protocol of Redis Cluster, and its keys share a hash tag, so that a proxy before a cluster keeps them
// on one shard.
package replay

import (
	"context"
	"errors"
	"time"
)

// Memory remembers keys until their time is over. It is safe for concurrent use, and outlives those who ask: a reload
// must not forget.
type Memory interface {
	// First reports whether key is new, and remembers it at least until the given time. Of several concurrent calls
	// with one key exactly one is first. earliest is when the key could have been accepted first: a Memory that does not
	// reach back so far cannot tell. An error means that it could not tell; the request is then refused.
	First(ctx context.Context, key [32]byte, earliest, until time.Time) (bool, error)
}

// ErrForgotten says that a key may have been accepted at a time that a Memory does not remember: before it began, or,
// in a Local, before the clock went backwards.
var ErrForgotten = errors.New("the memory of accepted signatures does not reach back this far")

// Stats is what a Memory tells of itself. The counts never fall.
type Stats struct {
	Keys     int    // remembered, those not yet dropped included
	Capacity int    // how many fit; 0: not known, and neither is Keys
	Repeats  uint64 // calls that found their key
	Refused  uint64 // calls that could not be answered
}
