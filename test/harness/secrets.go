package harness

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Secrets are texts that must come out nowhere, by what they are.
type Secrets map[string]string

// In says which secret stands in the content and in which form, empty if there is none: as it is, in capitals, in
// hexadecimal digits, in base64 whatever stands before it, or as Go prints bytes.
func (s Secrets) In(content []byte) string { return s.search()(content) }

// search prepares In for much content: a Replacer looks for any number of texts in one pass.
func (s Secrets) search() func(content []byte) string {
	var pairs []string
	for _, secret := range s {
		for _, form := range forms(secret) {
			pairs = append(pairs, form, "")
		}
	}
	all := strings.NewReplacer(pairs...)
	return func(content []byte) string {
		if len(all.Replace(string(content))) == len(content) {
			return ""
		}
		for what, secret := range s {
			for _, form := range forms(secret) {
				if bytes.Contains(content, []byte(form)) {
					return fmt.Sprintf("%s, as %q", what, form)
				}
			}
		}
		panic("a Replacer has replaced what is not there")
	}
}

func forms(secret string) []string {
	digits := hex.EncodeToString([]byte(secret))
	list := []string{
		secret, strings.ToUpper(secret), digits, strings.ToUpper(digits),
		strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 { // what the ends look like depends on what stands beside them
			encoded := encoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
			list = append(list, encoded[4:len(encoded)-2])
		}
	}
	return list
}

// InFiles looks through the files below a directory. It says which of them hold a secret, and how many hold the marker: a
// text that is stored as it is, without which the search proves nothing.
func (s Secrets) InFiles(dir, marker string) (found []string, marked int, err error) {
	in := s.search()
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if secret := in(content); secret != "" {
			found = append(found, path+": "+secret)
		}
		if bytes.Contains(content, []byte(marker)) {
			marked++
		}
		return nil
	})
	return found, marked, err
}
