package v1alpha1

import (
	"strconv"
	"strings"
)

// path is a place in an object, as users read it: spec.rules[1].match[0].path.regex. A name that holds more than
// letters, digits, '-' and '_' is quoted: metadata.labels["example.com/tier"].
type path string

// dot returns the place of a field.
func (p path) dot(name string) path {
	switch {
	case !isPlainName(name):
		return p + path("["+strconv.Quote(name)+"]")
	case p == "":
		return path(name)
	default:
		return p + "." + path(name)
	}
}

// index returns the place of a list's item.
func (p path) index(i int) path { return p + path("["+strconv.Itoa(i)+"]") }

// within reports whether p is q or a place inside q.
func (p path) within(q path) bool {
	rest, ok := strings.CutPrefix(string(p), string(q))
	return ok && (rest == "" || q == "" || rest[0] == '.' || rest[0] == '[')
}

// steps returns the names and indices that p consists of. It is lenient: what cannot be read ends the path.
func (p path) steps() []string {
	var steps []string
	rest := string(p)
	for rest != "" {
		if quoted, ok := strings.CutPrefix(rest, "["); ok {
			if prefix, err := strconv.QuotedPrefix(quoted); err == nil {
				name, _ := strconv.Unquote(prefix) // QuotedPrefix has checked it
				steps, rest = append(steps, name), strings.TrimPrefix(quoted[len(prefix):], "]")
				continue
			}
			index, after, ok := strings.Cut(quoted, "]")
			if !ok {
				return steps
			}
			steps, rest = append(steps, index), after
			continue
		}
		rest = strings.TrimPrefix(rest, ".")
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return steps
		}
		steps, rest = append(steps, rest[:end]), rest[end:]
	}
	return steps
}

func isPlainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return isLower(c) || 'A' <= c && c <= 'Z' }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
