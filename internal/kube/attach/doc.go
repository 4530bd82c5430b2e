// Package attach works out which AuthPolicy holds for which rule of which route of the Gateway API. It reads nothing and
// writes nothing: objects in, [Output] out.
package attach
