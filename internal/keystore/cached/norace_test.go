//go:build !race

package cached

const underRace = false
