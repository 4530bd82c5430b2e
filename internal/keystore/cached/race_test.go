//go:build race

package cached

// The race detector makes everything ten times slower, and pools forgetful.
const underRace = true
