// Package seal encrypts the secrets that must be read back from a store, such as HMAC secrets, so that a copy of the store
// tells nobody what they are. The key stands in a file beside the server: a Tink keyset in JSON
// (https://developers.google.com/tink/design/keysets), whose primary key seals and whose every key unseals.
//
// To rotate, add a key with [Add], give the file to all replicas, seal everything again, and then remove the old key from
// the file. A replica that has not got the file yet cannot unseal what others have sealed with the new key.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/postern-auth/postern/internal/authz"
)

var (
	// ErrUnsealable says that none of the keys unseals it under this context: it was sealed with a key that is not in
	// the file, or for another place, or has been changed.
	ErrUnsealable = errors.New("none of the keys in the secrets file unseals it; add the key that it was sealed with")

	errKeyset = errors.New("this is no Tink keyset of AEAD keys in JSON; make one with: postern secrets generate")
)

// Keys seal and unseal. They are safe for concurrent use.
type Keys struct {
	aead    tink.AEAD
	primary uint32
}

// Open reads the keys from a file. It refuses one that others than its owner and group can read, or that its group can
// write. Errors never repeat what the file holds.
func Open(file string) (*Keys, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const tooMuch fs.FileMode = 0o027 // a Secret that is mounted for a group has 0440
	if info.Mode().Perm()&tooMuch != 0 {
		return nil, fmt.Errorf("%s has the mode %04o, so that others can use it; run: chmod 0600 %s", file, info.Mode().Perm(), file)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	keys, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}

// Parse reads the keys from the text of a keyset.
func Parse(text []byte) (*Keys, error) {
	handle, err := read(text)
	if err != nil {
		return nil, err
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, errKeyset
	}
	cipher, err := aead.New(handle)
	if err != nil {
		return nil, errKeyset
	}
	return &Keys{aead: cipher, primary: primary.KeyID()}, nil
}

// Seal encrypts a secret with the primary key, whose id it returns too. It can only be unsealed under the same context,
// which says what it belongs to.
func (k *Keys) Seal(secret authz.Secret, context string) (sealed []byte, by uint32, err error) {
	sealed, err = k.aead.Encrypt([]byte(secret.Reveal()), []byte(context))
	return sealed, k.primary, err
}

// Unseal decrypts a secret. Its error is ErrUnsealable.
func (k *Keys) Unseal(sealed []byte, context string) (authz.Secret, error) {
	text, err := k.aead.Decrypt(sealed, []byte(context))
	if err != nil {
		return "", ErrUnsealable
	}
	return authz.Secret(text), nil
}

// Primary returns the id of the key that seals.
func (k *Keys) Primary() uint32 { return k.primary }

// Generate returns the text of a keyset with one new key.
func Generate() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	return write(handle)
}

// Add returns the text of the keyset with a new key more, which becomes the primary one.
func Add(text []byte) ([]byte, error) {
	handle, err := read(text)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, err
	}
	return write(handle)
}

// read hides what Tink has to say of a keyset, since that may repeat it.
func read(text []byte) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, errKeyset
	}
	return handle, nil
}

func write(handle *keyset.Handle) ([]byte, error) {
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, err
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}
