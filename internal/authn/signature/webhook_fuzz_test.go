package signature

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
)

// What the profiles accept, told in another way.
var (
	hubForm   = regexp.MustCompile(`^[ \t]*sha256=[0-9a-f]{64}[ \t]*$`)
	slackForm = regexp.MustCompile(`^[ \t]*v0=[0-9a-f]{64}[ \t]*$`)
	timeForm  = regexp.MustCompile(`^[ \t]*[0-9]{1,15}[ \t]*$`)
	idForm    = regexp.MustCompile(`^[ \t]*[!-+\-/0-~]+[ \t]*$`)
	stampForm = regexp.MustCompile(`^t=[0-9]{1,15}$`)
	sumForm   = regexp.MustCompile(`^v1=[0-9a-f]{64}$`)
	v1Form    = regexp.MustCompile(`^v1,[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$`)
	v1aForm   = regexp.MustCompile(`^v1a,[A-Za-z0-9+/]{85}[AQgw]==$`)
)

// FuzzWebhook holds the parsers to those forms, and to their bounds: a claim has one to ten signatures of the length
// of its version, and words before the body that hold the time.
func FuzzWebhook(f *testing.F) {
	sum := strings.Repeat("0a", sha256.Size)
	f.Add("sha256="+sum, "1618884473", "")
	f.Add("v0="+sum, " 1618884473\t", "")
	f.Add("t=1492774577,v1="+sum+",v1="+sum+",v0=x", "", "")
	f.Add("t=1,t=1,v1="+sum, "-1", "")
	f.Add("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
		"1674087231", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W")
	f.Add("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI5=", "9999999999999999", "a.b")
	f.Fuzz(func(t *testing.T, signature, at, id string) {
		for _, c := range []struct {
			profile profile
			headers []authz.Header
			form    bool
		}{
			{githubProfile, []authz.Header{{Name: "x-hub-signature-256", Value: signature}}, hubForm.MatchString(signature)},
			{slackProfile, []authz.Header{{Name: "x-slack-signature", Value: signature}, {Name: "x-slack-request-timestamp", Value: at}},
				slackForm.MatchString(signature) && timeForm.MatchString(at)},
			{stripeProfile, []authz.Header{{Name: "stripe-signature", Value: signature}}, isStripe(signature)},
			{standardWebhooksProfile, []authz.Header{
				{Name: "webhook-signature", Value: signature}, {Name: "webhook-timestamp", Value: at}, {Name: "svix-id", Value: id},
			}, isStandard(signature) && timeForm.MatchString(at) && idForm.MatchString(id)},
		} {
			var claim claim
			err := c.profile.parse(&authz.Request{Headers: c.headers}, &claim)
			short := !slices.ContainsFunc(c.headers, func(h authz.Header) bool { return len(h.Value) > maxFieldBytes })
			if (err == nil) != (c.form && short) {
				t.Fatalf("%T: %q, %q, %q: %v", c.profile, signature, at, id, err)
			}
			if err == nil {
				checkClaim(t, c.profile, &claim)
			}
		}
	})
}

func checkClaim(t *testing.T, p profile, c *claim) {
	t.Helper()
	all := append(slices.Clone(c.others), c.signature)
	if len(all) > maxSignatures {
		t.Fatalf("%T: %d signatures", p, len(all))
	}
	for _, sig := range all {
		if n := len(sig); n != 32 && (n != 64 || p != standardWebhooksProfile) {
			t.Fatalf("%T: a signature of %d bytes", p, n)
		}
	}
	if p != githubProfile && !strings.Contains(strings.TrimLeft(string(c.params), "0"), strings.TrimLeft(fmt.Sprint(c.created.Unix()), "0")) {
		t.Fatalf("%T: %q does not hold %v", p, c.params, c.created)
	}
}

func isStripe(text string) bool {
	times, sums := 0, 0
	for entry := range strings.SplitSeq(strings.Trim(text, " \t"), ",") {
		switch name, _, ok := strings.Cut(entry, "="); {
		case !ok, name == "t" && !stampForm.MatchString(entry), name == "v1" && !sumForm.MatchString(entry):
			return false
		case name == "t":
			times++
		case name == "v1":
			sums++
		}
	}
	return times == 1 && 1 <= sums && sums <= maxSignatures
}

func isStandard(text string) bool {
	count := 0
	for entry := range strings.SplitSeq(strings.Trim(text, " \t"), " ") {
		version, _, _ := strings.Cut(entry, ",")
		switch {
		case strings.Count(entry, ",") > 1:
			return false
		case version == "v1" && !v1Form.MatchString(entry), version == "v1a" && !v1aForm.MatchString(entry):
			return false
		case version == "v1", version == "v1a":
			count++
		}
	}
	return 1 <= count && count <= maxSignatures
}
