package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

// listing is a request for a page.
type listing interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// pageSize returns how many the page has at most.
func pageSize(request listing) int {
	if n := int(request.GetPageSize()); n > 0 {
		return min(n, maxPage)
	}
	return defaultPage
}

// pageToken is where the next page begins, and of which list it is.
type pageToken[T any] struct {
	List  []byte `json:"l"` // tells lists apart
	After T      `json:"a"`
}

// listOf tells lists apart by all that was asked but the page.
func listOf(request listing) []byte {
	bare := proto.Clone(request)
	m := bare.ProtoReflect()
	for _, field := range []string{"page_size", "page_token"} {
		m.Clear(m.Descriptor().Fields().ByName(protoreflect.Name(field)))
	}
	text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(bare) // it was read from the wire
	sum := sha256.Sum256(append([]byte(m.Descriptor().FullName()), text...))
	return sum[:8]
}

var errPageToken = violations{{"page_token", "it is not the next_page_token of this list; begin again without one, and keep the other fields as they are"}}

// after returns where the page begins: the zero T at first.
func after[T any](request listing) (place T, err error) {
	text := request.GetPageToken()
	if text == "" {
		return place, nil
	}
	var token pageToken[T]
	data, err := base64.RawURLEncoding.DecodeString(text)
	forged := bytes.Contains(data, []byte(`\u0000`)) // no name in the database has one
	if err != nil || forged || json.Unmarshal(data, &token) != nil || string(token.List) != string(listOf(request)) {
		return place, errPageToken
	}
	return token.After, nil
}

// page cuts what was read, of which one more than a page was asked for. It returns the token of the next page, empty if
// there is none.
func page[E, T any](request listing, read []E, place func(*E) T) ([]E, string, error) {
	size := pageSize(request)
	if len(read) <= size {
		return read, "", nil
	}
	read = read[:size]
	data, err := json.Marshal(pageToken[T]{listOf(request), place(&read[size-1])})
	return read, base64.RawURLEncoding.EncodeToString(data), err
}
