package admin

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/postern-auth/postern/internal/keystore"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// Types of keys, for short.
const (
	pat    = adminv1.KeyType_KEY_TYPE_PERSONAL_ACCESS_TOKEN
	hmac   = adminv1.KeyType_KEY_TYPE_HMAC_SECRET
	public = adminv1.KeyType_KEY_TYPE_PUBLIC_KEY
)

// TestWhatIsNotIssued shows each rule that IssueKey has beyond those of the protos.
func TestWhatIsNotIssued(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	keys := s.keys(operatorToken)
	now := s.clock.now()
	for want, r := range map[string]*adminv1.IssueKeyRequest{
		"scopes: give at most one of scopes, access and all_scopes":                                   {AllScopes: true, Scopes: []string{"refunds"}},
		"ttl: give at most one of expire_time and ttl":                                                {Ttl: durationpb.New(day), ExpireTime: timestamppb.New(now.Add(day))},
		"expire_time: it has passed; to end a key at once, revoke it":                                 {ExpireTime: timestamppb.New(now)},
		"expire_time: it is not a time":                                                               {ExpireTime: &timestamppb.Timestamp{Nanos: -1}},
		"ttl: it is not a duration of up to a hundred years":                                          {Ttl: durationpb.New(200 * 366 * day)},
		"ttl: must be greater than 0s":                                                                {Ttl: durationpb.New(0)},
		"expire_time: a personal access token lasts 366 days at most":                                 {Type: pat, Subject: "ada", Ttl: durationpb.New(367 * day)},
		"subject: name the user that the token stands for":                                            {Type: pat},
		"subject: only personal access tokens have one":                                               {Subject: "ada"},
		"subject: what begins with app: is the subject of an App; name a user":                        {Type: pat, Subject: "app:shop/other"},
		"prefix: only API keys and personal access tokens have one":                                   {Type: hmac, Prefix: "x_"},
		"prefix: a key's prefix is up to 32 letters, digits, '-' and '_' and ends in '_', like pk_":   {Prefix: "x"},
		"signing_key_id: only signing keys have one":                                                  {SigningKeyId: "x"},
		"public_key: give the public key, as PEM or JWK":                                              {Type: public},
		"public_key: give it with the type KEY_TYPE_PUBLIC_KEY only":                                  {PublicKey: "x"},
		"algorithm: algorithm \"ed25519\" does not verify with a secret; name one that fits, or none": {Type: hmac, Algorithm: "ed25519"},
		"name: does not match regex pattern `^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$`":                {Name: "Key"},
		"type: value must be one of the defined enum values":                                          {Type: 99},
		"expire_time: the key would expire before it becomes good; let it expire after not_before": {
			NotBefore: timestamppb.New(now.Add(2 * day)), Ttl: durationpb.New(day),
		},
	} {
		r.Namespace, r.App = "shop", "acme"
		_, err := keys.IssueKey(t.Context(), r)
		if diff := cmp.Diff([]string{want}, fields(err)); diff != "" {
			t.Errorf("%v: %v: %s", r, err, diff)
		}
	}
	for _, r := range []*adminv1.IssueKeyRequest{
		{Type: pat, Subject: "ada\r\nX-Admin: 1"}, {Type: pat, Subject: " app:shop/other"}, {Type: pat, Subject: "ada\u0085"}, {Type: hmac, SigningKeyId: "a\nb"}, {Type: hmac, Algorithm: "hmac-md5"},
		{Type: public, PublicKey: "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----"},
	} {
		r.Namespace, r.App = "shop", "acme"
		if _, err := keys.IssueKey(t.Context(), r); len(fields(err)) != 1 {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// TestNoPepper shows that no key is made that only a plain digest would protect.
func TestNoPepper(t *testing.T) {
	s := start(t, sqlite(t), func(o *Options) { o.Hasher = keystore.NewHasher() })
	s.acme()
	_, err := s.keys(operatorToken).IssueKey(t.Context(), &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme"})
	if connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), "set keystore.pepperFile") {
		t.Error(err)
	}
}

func TestScopes(t *testing.T) {
	s := start(t, sqlite(t))
	must[*adminv1.CreateAppResponse](t)(s.apps(adminToken).CreateApp(t.Context(), &adminv1.CreateAppRequest{App: &adminv1.App{
		Namespace: "shop", Name: "acme", Scopes: []string{"read", "orders:read", "orders.write", "a/b/read", "thread", "refunds"},
	}}))
	for _, tc := range []struct {
		request *adminv1.IssueKeyRequest
		want    string
	}{
		{&adminv1.IssueKeyRequest{}, ""},
		{&adminv1.IssueKeyRequest{AllScopes: true}, "all"},
		{&adminv1.IssueKeyRequest{Scopes: []string{"thread", "read"}}, "read thread"},
		{&adminv1.IssueKeyRequest{Access: adminv1.Access_ACCESS_READ_ONLY}, "a/b/read orders:read read"},
		{&adminv1.IssueKeyRequest{Access: adminv1.Access_ACCESS_READ_WRITE}, "a/b/read orders.write orders:read read"},
	} {
		tc.request.Namespace, tc.request.App = "shop", "acme"
		k := must[*adminv1.IssueKeyResponse](t)(s.keys(operatorToken).IssueKey(t.Context(), tc.request)).GetKey()
		got := strings.Join(k.GetScopes(), " ")
		if k.GetAllScopes() {
			got += "all"
		}
		if got != tc.want {
			t.Errorf("%v: %q", tc.request, got)
		}
	}
	must[*adminv1.UpdateAppResponse](t)(s.apps(adminToken).UpdateApp(t.Context(), &adminv1.UpdateAppRequest{
		App: &adminv1.App{Namespace: "shop", Name: "acme", Scopes: []string{"refunds"}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"scopes"}},
	}))
	_, err := s.keys(operatorToken).IssueKey(t.Context(), &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", Access: adminv1.Access_ACCESS_READ_ONLY})
	if diff := cmp.Diff([]string{"access: no scope of the App shop/acme ends in read; list the key's scopes instead"}, fields(err)); diff != "" {
		t.Error(diff)
	}
}

// TestUpdates changes keys and Apps by field masks.
func TestUpdates(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	keys, now := s.keys(operatorToken), s.clock.now()
	s.issue(func(r *adminv1.IssueKeyRequest) { r.AllScopes, r.Description = true, "theirs" })
	update := func(k *adminv1.Key, paths ...string) (*adminv1.Key, error) {
		k.Namespace, k.App, k.Name = "shop", "acme", "key"
		answer, err := keys.UpdateKey(t.Context(), &adminv1.UpdateKeyRequest{Key: k, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return answer.GetKey(), err
	}
	for _, tc := range []struct {
		key   *adminv1.Key
		paths []string
		want  string
	}{
		{&adminv1.Key{}, nil, "update_mask: it names no field; name some of all_scopes, description, disabled, expire_time, not_before, scopes"},
		{&adminv1.Key{Subject: "eve"}, []string{"subject"}, `update_mask: "subject" cannot be changed; name some of all_scopes, description, disabled, expire_time, not_before, scopes`},
		{&adminv1.Key{Scopes: []string{"payouts"}}, []string{"scopes"}, "key.scopes: the App shop/acme does not have payouts; leave them out, or give them to the App first"},
		{&adminv1.Key{}, []string{"all_scopes"}, "key.scopes: say which the key keeps, and name scopes in update_mask too"},
		{&adminv1.Key{ExpireTime: timestamppb.New(now)}, []string{"expire_time"}, "key.expire_time: it has passed; to end a key at once, revoke it"},
		{&adminv1.Key{Description: strings.Repeat("x", 2049)}, []string{"description"}, "key.description: must be at most 2048 characters"},
	} {
		_, err := update(tc.key, tc.paths...)
		if diff := cmp.Diff([]string{tc.want}, fields(err)); diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
	}
	k, err := update(&adminv1.Key{Scopes: []string{"refunds"}, Description: "not in the mask", ExpireTime: timestamppb.New(now.Add(day))}, "scopes", "expire_time")
	if err != nil || k.GetAllScopes() || k.GetDescription() != "theirs" || !k.GetExpireTime().AsTime().Equal(now.Add(day)) {
		t.Errorf("%v, %v", k, err)
	}
	if again, err := update(&adminv1.Key{AllScopes: true}, "all_scopes"); err != nil || !again.GetAllScopes() || len(again.GetScopes()) != 0 {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := update(&adminv1.Key{Etag: k.GetEtag()}, "disabled"); connect.CodeOf(err) != connect.CodeAborted {
		t.Errorf("an old etag: %v", err)
	}
	s.clock.advance(2 * day)
	if k, err := update(&adminv1.Key{}, "expire_time"); err != nil || k.GetExpireTime() != nil || k.GetState() != adminv1.KeyState_KEY_STATE_ACTIVE {
		t.Errorf("an expired key that was not rotated may be extended: %v, %v", k, err)
	}

	for want, r := range map[string]*adminv1.UpdateAppRequest{
		`app.labels["a b"]: the name is not a label's; use a Kubernetes label's name, such as tier or example.com/tier`: {
			App: &adminv1.App{Labels: map[string]string{"a b": "c"}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}},
		},
		"app.attributes.tenant: holds a control character; keep it to one line": {
			App: &adminv1.App{Attributes: map[string]string{"tenant": "a\r\nX-Admin: 1"}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"attributes"}},
		},
		"app.display_name: is too long or holds a control character; keep it to one line of 256 bytes": {
			App: &adminv1.App{DisplayName: "a\nb"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
		},
		`update_mask: "etag" cannot be changed; name some of attributes, description, disabled, display_name, labels, owner, scopes`: {
			App: &adminv1.App{}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"etag"}},
		},
	} {
		r.App.Namespace, r.App.Name = "shop", "acme"
		_, err := s.apps(adminToken).UpdateApp(t.Context(), r)
		if diff := cmp.Diff([]string{want}, fields(err)); diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
	}
}

// TestRotation shows which keys can be rotated, and how long each of the two lasts.
func TestRotation(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	keys := s.keys(operatorToken)
	rotate := func(name string, change ...func(*adminv1.RotateKeyRequest)) (*adminv1.RotateKeyResponse, error) {
		r := &adminv1.RotateKeyRequest{Namespace: "shop", App: "acme", Name: name}
		for _, set := range change {
			set(r)
		}
		return keys.RotateKey(t.Context(), r)
	}
	denied := func(what, message string, err error) {
		t.Helper()
		if connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", what, err)
		}
	}
	at := func(what string, got *timestamppb.Timestamp, want time.Duration) {
		t.Helper()
		if !got.AsTime().Equal(s.clock.now().Add(want)) {
			t.Errorf("%s at %v, not in %v", what, got.AsTime(), want)
		}
	}

	s.issue(func(r *adminv1.IssueKeyRequest) { r.Scopes = []string{"refunds", "orders:read"} })
	must[*adminv1.UpdateAppResponse](t)(s.apps(adminToken).UpdateApp(t.Context(), &adminv1.UpdateAppRequest{
		App: &adminv1.App{Namespace: "shop", Name: "acme", Scopes: []string{"orders:read"}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"scopes"}},
	}))
	next := must[*adminv1.RotateKeyResponse](t)(rotate("key"))
	at("the default overlap ends", next.GetPredecessor().GetExpireTime(), day)
	if next.GetKey().GetExpireTime() != nil || next.GetPredecessor().GetSuccessor() != next.GetKey().GetName() {
		t.Errorf("%v", next)
	}
	if diff := cmp.Diff([]string{"orders:read"}, next.GetKey().GetScopes()); diff != "" {
		t.Errorf("what the App lost, its new key does not get: %s", diff)
	}
	_, err := rotate("key")
	denied("rotated already", "rotate its successor "+next.GetKey().GetName(), err)
	_, err = keys.UpdateKey(t.Context(), &adminv1.UpdateKeyRequest{
		Key: &adminv1.Key{Namespace: "shop", App: "acme", Name: "key"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"expire_time"}},
	})
	denied("the overlap made longer", "was rotated and may only end sooner", err)
	must[*adminv1.RevokeKeyResponse](t)(keys.RevokeKey(t.Context(), &adminv1.RevokeKeyRequest{Namespace: "shop", App: "acme", Name: next.GetKey().GetName()}))
	_, err = rotate(next.GetKey().GetName())
	denied("revoked", "is revoked", err)
	if _, err = rotate("key"); err != nil {
		t.Errorf("its successor was revoked: %v", err)
	}

	s.issue(func(r *adminv1.IssueKeyRequest) { r.Name, r.Ttl = "short", durationpb.New(time.Hour) })
	s.clock.advance(30 * time.Minute)
	next = must[*adminv1.RotateKeyResponse](t)(rotate("short"))
	at("a key that ends before the overlap does, ends", next.GetPredecessor().GetExpireTime(), 30*time.Minute)
	at("its successor lasts as long as it did and ends", next.GetKey().GetExpireTime(), time.Hour)

	s.issue(func(r *adminv1.IssueKeyRequest) {
		r.Name, r.NotBefore, r.Ttl = "early", timestamppb.New(s.clock.now().Add(2*day)), durationpb.New(12*day)
	})
	next = must[*adminv1.RotateKeyResponse](t)(rotate("early"))
	at("a key that is not good yet has a successor that begins", next.GetKey().GetNotBefore(), 2*day)
	at("and ends", next.GetKey().GetExpireTime(), 12*day)

	s.issue(func(r *adminv1.IssueKeyRequest) { r.Name, r.Type, r.Subject, r.Prefix = "token", pat, "ada", "acme_" })
	next = must[*adminv1.RotateKeyResponse](t)(rotate("token", func(r *adminv1.RotateKeyRequest) { r.Ttl = durationpb.New(day) }))
	at("the time that was asked for ends", next.GetKey().GetExpireTime(), day)
	if !strings.HasPrefix(next.GetSecret(), "acme_") || next.GetKey().GetSubject() != "ada" {
		t.Errorf("%v", next.GetKey())
	}

	s.issue(func(r *adminv1.IssueKeyRequest) { r.Name, r.Type, r.SigningKeyId = "signer", hmac, "acme-1" })
	next = must[*adminv1.RotateKeyResponse](t)(rotate("signer", func(r *adminv1.RotateKeyRequest) { r.Successor = "signer-2" }))
	if next.GetKey().GetSigningKeyId() != "shop/acme/signer-2" {
		t.Errorf("%v", next.GetKey())
	}

	must[*adminv1.UpdateKeyResponse](t)(keys.UpdateKey(t.Context(), &adminv1.UpdateKeyRequest{
		Key: &adminv1.Key{Namespace: "shop", App: "acme", Name: "signer-2", Disabled: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
	}))
	_, err = rotate("signer-2")
	denied("disabled", "is disabled; enable it first", err)
}

// TestImports shows that all keys are imported or none.
func TestImports(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	must[*adminv1.CreateAppResponse](t)(s.apps(otherToken).CreateApp(t.Context(), &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "other", Name: "app"}}))
	one, two := strings.Repeat("01", 32), strings.Repeat("02", 32)
	must[*adminv1.ImportKeysResponse](t)(s.keys(otherToken).ImportKeys(t.Context(), &adminv1.ImportKeysRequest{
		Namespace: "other", App: "app", Keys: []*adminv1.ImportedKey{{Name: "secret-partner", Digest: one}},
	}))
	imports := func(list ...*adminv1.ImportedKey) error {
		_, err := s.keys(adminToken).ImportKeys(t.Context(), &adminv1.ImportKeysRequest{Namespace: "shop", App: "acme", Keys: list})
		return err
	}
	err := imports(
		&adminv1.ImportedKey{Name: "good", Digest: two},
		&adminv1.ImportedKey{Name: "a", Digest: "pk_what_should_not_be_here"},
		&adminv1.ImportedKey{Name: "b", Digest: "hmac-sha256:p9:" + two},
		&adminv1.ImportedKey{Name: "c", Digest: two, Scopes: []string{"payouts"}},
	)
	if diff := cmp.Diff([]string{
		"keys[1].digest: a digest is sha256:<64 hex digits> or hmac-sha256:<pepper id>:<64 hex digits>",
		`keys[2].digest: no pepper has the id "p9"; add it to the pepper file of every replica`,
		"keys[3].scopes: the App shop/acme does not have payouts; leave them out, or give them to the App first",
	}, fields(err)); diff != "" {
		t.Error(diff)
	}
	err = imports(&adminv1.ImportedKey{Name: "good", Digest: two}, &adminv1.ImportedKey{Name: "mine", Digest: one})
	if connect.CodeOf(err) != connect.CodeAlreadyExists || connectError(err).Message() != "the digest is that of another key" {
		t.Errorf("a digest that another namespace has: %v", err)
	}
	err = imports(&adminv1.ImportedKey{Name: "good", Digest: two}, &adminv1.ImportedKey{Name: "good", Digest: strings.Repeat("03", 32)})
	if connect.CodeOf(err) != connect.CodeAlreadyExists || connectError(err).Message() != "the key shop/acme/good exists" {
		t.Errorf("a name twice: %v", err)
	}
	if list := s.listKeys(adminToken, &adminv1.ListKeysRequest{}); list != nil {
		t.Errorf("imported all the same: %v", list)
	}
	if err := imports(&adminv1.ImportedKey{Name: "good", Digest: "hmac-sha256:p1:" + two}); err != nil {
		t.Error(err)
	}
}
