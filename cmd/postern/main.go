// Command postern answers Envoy's external-authorization checks. See internal/cli for its commands.
package main

import (
	"os"

	_ "golang.org/x/crypto/x509roots/fallback" // where the system has no CAs, as in the image

	"github.com/postern-auth/postern/internal/cli"
)

// Set by the linker: see the Makefile.
var version, commit string

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Build{Version: version, Commit: commit}))
}
