package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// signFlags are sign's own flags.
type signFlags struct {
	requestFlags
	config configFlags

	profile, scheme          string
	keyID, secretFile        string
	encoding, keyFile, app   string
	algorithm, label, tag    string
	region, service, created string
	cover                    []string
	expires                  time.Duration
	nonce                    string
	presign, explain, send   bool
	signedText, connect      string
}

func newSign() *cobra.Command {
	f := &signFlags{}
	cmd := &cobra.Command{
		Use:   "sign URL",
		Short: "Sign a request, in any profile",
		Long: `Signs a request and prints it as a curl command, or sends it with --send.

How it is signed is said by --profile and the flags beside it, or by an AuthScheme of the resources (--scheme). Without
--cover it signs what the profile requires by default, and a body. The key is a secret (--secret-file), a private key in
PEM (--key-file) or the signing secret of an App of the resources (--app).

Where a client's own code signs something else, write the text that it signs into a file: --signed-text names the first
line that differs from ours. --created and --nonce make ours of the same time and nonce.`,
		Example: `  postern sign --key-id AK0123 --secret-file acme.secret https://orders.example.com/orders/1
  postern sign --key-id AK0123 --key-file acme.pem -X POST -d @order.json --send https://orders.example.com/orders
  postern sign --scheme shop/partner --app shop/acme --resources ./policies https://orders.example.com/orders/1
  postern sign --profile aws-sigv4 --region us-east-1 --service execute-api --key-id AK0123 --secret-file acme.secret \
    --presign --expires 15m https://orders.example.com/orders/1
  postern sign --profile stripe --secret-file stripe.secret -d @event.json --explain --signed-text client.txt \
    https://orders.example.com/webhooks/payment`,
		Args: oneArg("the URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.add(cmd)
	f.config.add(cmd)
	f.addHow(cmd)
	f.addKey(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.send, "send", false, "send the request and print the answer")
	flags.StringVar(&f.connect, "connect", "", "with --send: host:port to connect to in place of the URL's")
	flags.BoolVar(&f.explain, "explain", false, "also print the text that was signed, on standard error")
	addSignedText(cmd, &f.signedText)
	return cmd
}

// addHow adds the flags that say how a request is signed.
func (f *signFlags) addHow(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", string(v1alpha1.ProfileRFC9421), "signing format")
	flags.StringVar(&f.scheme, "scheme", "", "AuthScheme of the resources, as namespace/name, that says how to sign")
	flags.StringVar(&f.algorithm, "algorithm", "", "algorithm; default: the one that fits the key")
	flags.StringSliceVar(&f.cover, "cover", nil, "what to sign, in the profile's names, such as @method or content-digest")
	flags.DurationVar(&f.expires, "expires", 0, "how long the signature is good; 0 leaves that to the server")
	flags.StringVar(&f.created, "created", "", "time of signing, as 2026-10-01T00:00:00Z or in seconds since 1970; default: now")
	flags.StringVar(&f.nonce, "nonce", "random", "nonce, where the profile has one; random makes one, rfc9421 can do without (empty)")
	flags.StringVar(&f.label, "label", "", "rfc9421: label of the signature (default sig1)")
	flags.StringVar(&f.tag, "tag", "", "rfc9421: tag of the signature")
	flags.StringVar(&f.region, "region", "", "aws-sigv4: region of the credential scope")
	flags.StringVar(&f.service, "service", "", "aws-sigv4: service of the credential scope")
	flags.BoolVar(&f.presign, "presign", false, "aws-sigv4: sign the URL, for as long as --expires says")
	complete(cmd, "profile", profileNames)
	complete(cmd, "algorithm", func() []string { return v1alpha1.SignatureProfile(f.profile).Algorithms() })
	complete(cmd, "cover", func() []string { return v1alpha1.SignatureProfile(f.profile).Cover() })
}

func (f *signFlags) run(cmd *cobra.Command, rawURL string) error {
	format, err := formatOf(cmd)
	if err != nil {
		return err
	}
	if err := f.check(cmd); err != nil {
		return err
	}
	q, err := f.read(cmd, rawURL)
	if err != nil {
		return err
	}
	theirs, err := readSignedText(f.signedText)
	if err != nil {
		return err
	}
	s, err := f.signing(cmd, q)
	if err != nil {
		return err
	}
	signed, err := s.sign()
	if err != nil {
		return &usageError{err}
	}
	out := signOutput{cmd: cmd, request: q, signed: signed}
	if f.explain {
		fmt.Fprintf(cmd.ErrOrStderr(), "signed text:\n%s\n", numbered(signed.Base))
	}
	if f.signedText != "" {
		c := compare("", theirs, signed.Base)
		out.compared = &c
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", f.signedText, c)
	}
	switch {
	case f.send:
		return out.send(f.connect, format)
	case format != asText:
		return out.print(format)
	default:
		return out.curl()
	}
}

// check finds fault with flags that do not go together.
func (f *signFlags) check(cmd *cobra.Command) error {
	set := cmd.Flags().Changed
	switch {
	case f.scheme != "" && set("profile"):
		return usagef("--scheme and --profile: leave one out, the AuthScheme names its profile")
	case !f.readsResources() && (set("resources") || set("config")):
		return usagef("--resources and --config have no use without --scheme or --app")
	case f.connect != "" && !f.send:
		return usagef("--connect has no use without --send")
	case f.expires < 0:
		return usagef("--expires %v: a signature does not expire before it is made", f.expires)
	case f.presign && f.expires == 0:
		return usagef("--presign needs --expires, which says how long the URL is good, such as 15m")
	default:
		return nil
	}
}

func (f *signFlags) readsResources() bool { return f.scheme != "" || f.app != "" }

// checkProfile finds fault with flags that the profile has no use for.
func checkProfile(cmd *cobra.Command, profile v1alpha1.SignatureProfile) error {
	if known := v1alpha1.Profiles(); !slices.Contains(known, profile) {
		return usagef("--profile %q: use one of %s", profile, strings.Join(profileNames(), ", "))
	}
	for _, only := range []struct {
		profile v1alpha1.SignatureProfile
		flags   []string
	}{
		{v1alpha1.ProfileRFC9421, []string{"label", "tag"}},
		{v1alpha1.ProfileAWSSigV4, []string{"region", "service", "presign"}},
	} {
		for _, name := range only.flags {
			if cmd.Flags().Changed(name) && profile != only.profile {
				return usagef("--%s belongs to profile %s, not to %s", name, only.profile, profile)
			}
		}
	}
	return nil
}

func profileNames() []string {
	var names []string
	for _, p := range v1alpha1.Profiles() {
		names = append(names, string(p))
	}
	return names
}

// complete has the shell complete the values of a flag.
func complete(cmd *cobra.Command, flag string, values func() []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
}
