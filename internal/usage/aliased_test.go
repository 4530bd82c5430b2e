package usage

import "unsafe"

// aliased is memory that a string is made of without a copy, as a request's strings are.
type aliased [16]byte

// is writes over the memory and returns it as a string.
func (a *aliased) is(text string) string {
	return unsafe.String(&a[0], copy(a[:], text))
}
