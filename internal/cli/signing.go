package cli

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/server"
)

// signing is a request and how to sign it.
type signing struct {
	signature.SignRequest

	request    *described
	algorithms []string // the first that fits the key signs; none: the profile chooses
	app        string   // whose keys the scheme tries, as namespace/name; empty: requests name a key
}

// signing gathers what the resources and the flags say. Flags count more.
func (f *signFlags) signing(cmd *cobra.Command, q *described) (*signing, error) {
	s := &signing{request: q}
	s.Method, s.Headers, s.Body = q.method, q.headers, q.body
	s.Profile = v1alpha1.SignatureProfile(f.profile)
	external := v1alpha1.ExternalOrigin{}
	var resources *server.Inspection
	if f.readsResources() {
		var err error
		if resources, err = f.inspect(cmd.Context()); err != nil {
			return nil, err
		}
		defer resources.Close()
	}
	if f.scheme != "" {
		spec, err := signatureScheme(resources, f.scheme)
		if err != nil {
			return nil, err
		}
		s.follow(spec, f.scheme)
		if spec.External != nil {
			external = *spec.External
		}
	}
	s.setOrigin(external)
	if err := checkProfile(cmd, s.Profile); err != nil {
		return nil, err
	}
	if err := f.override(s); err != nil {
		return nil, err
	}
	return s, f.setKey(s, resources)
}

// inspect reads the resources.
func (f *signFlags) inspect(ctx context.Context) (*server.Inspection, error) {
	cfg, err := f.config.read()
	if err != nil {
		return nil, err
	}
	resources, err := server.Inspect(ctx, cfg, false)
	if err != nil {
		return nil, &usageError{err}
	}
	return resources, nil
}

// qualified returns the name as "namespace/name".
func qualified(name, namespace string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return namespace + "/" + name
}

// missing says why an object of the resources cannot be used.
func missing(resources *server.Inspection, kind, name string) error {
	var found v1alpha1.Errors
	for _, e := range resources.Errors {
		if e.Object == kind+" "+name {
			found = append(found, e)
		}
	}
	if len(found) > 0 {
		return usagef("%s %s has errors:\n%w", kind, name, found)
	}
	return usagef("the resources hold no %s %s; write namespace/name, and their directory with --resources", kind, name)
}

func signatureScheme(resources *server.Inspection, name string) (*v1alpha1.SignatureScheme, error) {
	name = qualified(name, v1alpha1.DefaultNamespace)
	scheme := resources.Scheme(name)
	switch {
	case scheme == nil:
		return nil, missing(resources, v1alpha1.KindAuthScheme, name)
	case scheme.Spec.Signature == nil:
		return nil, usagef("AuthScheme %s is no signature scheme", name)
	default:
		return scheme.Spec.Signature, nil
	}
}

// bodyField is the header with the body's digest, in profiles whose clients say what they sign.
var bodyField = map[v1alpha1.SignatureProfile]string{
	v1alpha1.ProfileRFC9421: "content-digest",
	v1alpha1.ProfileCavage:  "digest",
	v1alpha1.ProfileKong:    "digest",
	v1alpha1.ProfileAPISIX:  "digest",
}

// follow does as the scheme says. Where it says what the profile does by default, the choice is left to the profile.
func (s *signing) follow(spec *v1alpha1.SignatureScheme, name string) {
	s.Profile, s.Template = spec.Profile, spec.Template
	if spec.App != "" {
		namespace, _, _ := strings.Cut(qualified(name, v1alpha1.DefaultNamespace), "/")
		s.app = qualified(spec.App, namespace)
	}
	if !slices.Equal(spec.Algorithms, spec.Profile.Algorithms()) {
		s.algorithms = spec.Algorithms
	}
	field := bodyField[spec.Profile]
	bindsEmpty := spec.Body == v1alpha1.BodyRequired && len(s.Body) == 0 && field != ""
	if !slices.Equal(spec.Cover, spec.Profile.Cover()) || bindsEmpty {
		s.Cover = slices.Clone(spec.Cover)
		bindsBody := bindsEmpty || len(s.Body) > 0 && spec.Body != v1alpha1.BodyUnbound && field != ""
		if bindsBody && !slices.Contains(s.Cover, field) {
			s.Cover = append(s.Cover, field)
		}
	}
	if o := spec.RFC9421; o != nil {
		s.Label, s.Tag = o.Label, o.Tag
	}
	if o := spec.AWSSigV4; o != nil {
		s.Region, s.Service = o.Regions[0], o.Services[0]
	}
}

// setOrigin has the URL signed that the server believes in: the scheme's external origin, else what a Host header says,
// else what was given.
func (s *signing) setOrigin(external v1alpha1.ExternalOrigin) {
	scheme, authority := s.request.url.Scheme, s.request.authority()
	if external.Scheme != "" {
		scheme = external.Scheme
	}
	if external.Authority != "" {
		authority = external.Authority
	}
	if s.URL = s.request.raw; scheme != s.request.url.Scheme || authority != s.request.url.Host {
		s.URL = scheme + "://" + authority + target(s.URL)
	}
	s.Headers = slices.DeleteFunc(slices.Clone(s.Headers), isHost)
}

// override does as the flags say.
func (f *signFlags) override(s *signing) error {
	var err error
	if s.Created, err = parseTime(f.created); err != nil {
		return err
	}
	if f.expires > 0 {
		s.Expires = s.Created.Add(f.expires)
	}
	switch {
	case f.nonce != "random":
		s.Nonce = f.nonce
	case s.Profile == v1alpha1.ProfileRFC9421: // other profiles make one where they need it
		s.Nonce = rand.Text()
	}
	if f.algorithm != "" {
		s.algorithms = []string{f.algorithm}
	}
	if len(f.cover) > 0 {
		s.Cover = f.cover
	}
	for _, v := range []struct {
		flag string
		to   *string
	}{{f.label, &s.Label}, {f.tag, &s.Tag}, {f.region, &s.Region}, {f.service, &s.Service}} {
		if v.flag != "" {
			*v.to = v.flag
		}
	}
	s.Presign = f.presign
	switch {
	case s.Profile == v1alpha1.ProfileTemplate && s.Template == nil:
		return usagef("--profile template: name an AuthScheme with --scheme, the template stands there")
	case s.Profile == v1alpha1.ProfileAWSSigV4 && (s.Region == "" || s.Service == ""):
		return usagef("--profile aws-sigv4 needs --region and --service, such as us-east-1 and execute-api")
	default:
		return nil
	}
}

// parseTime reads --created.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("--created %q: write it as 2026-10-01T00:00:00Z or in seconds since 1970", text)
	}
	return at, nil
}

// sign signs with the first of the algorithms that fits the key.
func (s *signing) sign() (signed *signature.Signed, err error) {
	if len(s.algorithms) == 0 {
		signed, err = signature.Sign(s.SignRequest)
	}
	for _, s.Algorithm = range s.algorithms {
		if signed, err = signature.Sign(s.SignRequest); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if signed.URL == s.URL {
		signed.URL = s.request.raw
	} else { // it was presigned
		signed.URL = s.request.url.Scheme + "://" + s.request.url.Host + target(signed.URL)
	}
	return signed, nil
}
