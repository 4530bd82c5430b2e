package cli

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// curl stands in for curl: it asks `postern check` about the request that curl would send, by the resources in the
// directory policies. The flags in $CHECK_FLAGS count more than those of the request.
func curl() {
	c := curled{args: os.Args[1:], named: map[string]bool{}}
	if err := c.read(); err != nil {
		fmt.Fprintf(os.Stderr, "curl: %v\n", err)
		os.Exit(exitUsage)
	}
	if !c.named["accept"] {
		c.check = append(c.check, "-H", "Accept: */*")
	}
	if c.body && !c.named["content-type"] {
		c.check = append(c.check, "-H", "Content-Type: application/x-www-form-urlencoded")
	}
	args := append([]string{"check", "--resources", "policies"}, c.check...)
	os.Exit(Main(append(args, strings.Fields(os.Getenv("CHECK_FLAGS"))...), Build{}))
}

// curled is a command line of curl's.
type curled struct {
	args  []string
	check []string        // the same for check
	named map[string]bool // headers that it names, to send them or to leave them out
	body  bool
}

// read reads the options that sign writes.
func (c *curled) read() (err error) {
	for len(c.args) > 0 {
		switch arg := c.next(); arg {
		case "-sS", "--globoff":
		case "--head":
			c.check = append(c.check, "-X", "HEAD")
		case "-X":
			c.check = append(c.check, arg, c.next())
		case "--data-raw": // check would take an '@' for a file
			err = cmp.Or(err, os.WriteFile("curl.body", []byte(c.next()), 0o600))
			c.check, c.body = append(c.check, "-d", "@curl.body"), true
		case "--data-binary":
			c.check, c.body = append(c.check, "-d", c.next()), true
		case "-H":
			c.header(c.next())
		default:
			c.check = append(c.check, arg)
		}
	}
	return err
}

func (c *curled) next() string {
	if len(c.args) == 0 {
		return ""
	}
	arg := c.args[0]
	c.args = c.args[1:]
	return arg
}

// header reads "Name: value", "Name;" for an empty value, and "Name:" for a header to leave out.
func (c *curled) header(line string) {
	name, value, colon := strings.Cut(line, ":")
	if !colon {
		name = strings.TrimSuffix(line, ";")
	}
	c.named[strings.ToLower(name)] = true
	if !colon || strings.TrimSpace(value) != "" {
		c.check = append(c.check, "-H", name+":"+value)
	}
}
