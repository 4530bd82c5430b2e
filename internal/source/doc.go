// Package source is where resources come from: a directory of files, read once or watched, or a cluster, which package
// kube watches. Either way they come as [Snapshot]s.
//
// A reading goes through three steps. A scan walks the directory and stats every file. The tree of what was read last
// takes the changes: files that are new or differ are read and decoded, all others keep the very objects they had. The
// tree is then laid out as one [Snapshot]: documents in order of path, each object once.
//
// [Files.Run] reads again when fsnotify reports something and a moment of quiet has passed, and every few seconds
// whatever fsnotify says, for there are changes that it cannot see. A scan compares, so an event says no more than that
// it is time to look; lost and repeated events do no harm.
//
// A mistake takes nothing away. What cannot be read or parsed keeps the objects it held before: see [Snapshot].
package source
