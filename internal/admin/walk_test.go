package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// methods calls do with every method of every service of the API.
func methods(do func(procedure string, m protoreflect.MethodDescriptor)) {
	for _, file := range files {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				do(fmt.Sprintf("/%s/%s", service.FullName(), m.Name()), m)
			}
		}
	}
}

// about returns a request about something in the namespace.
func about(m protoreflect.MethodDescriptor, namespace string) string {
	names := map[string]any{"namespace": namespace, "app": "acme", "name": "acme"}
	body := map[string]any{}
	fields := m.Input().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		value, known := names[string(field.Name())]
		switch {
		case field.Name() == "app" && field.Kind() == protoreflect.MessageKind:
			body["app"] = map[string]any{"namespace": namespace, "name": "acme"}
		case field.Name() == "key" && field.Kind() == protoreflect.MessageKind:
			body["key"] = names
		case known:
			body[string(field.Name())] = value
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func codeOf(t *testing.T, body string) string {
	t.Helper()
	var answer struct{ Code string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return answer.Code
}

// TestEveryMethodAsksForItsRole goes by the descriptors, so that a method that is added cannot be forgotten.
func TestEveryMethodAsksForItsRole(t *testing.T) {
	s := start(t, sqlite(t))
	tokens := map[role]string{viewer: viewerToken, operator: operatorToken, admin: adminToken}
	seen := 0
	methods(func(procedure string, m protoreflect.MethodDescriptor) {
		seen++
		needs, known := required[procedure]
		if !known || needs < viewer {
			t.Errorf("%s: no role is required; give it one in role.go", procedure)
			return
		}
		code := func(token, namespace string) string {
			answer := s.post(token, procedure, about(m, namespace))
			return codeOf(t, answer[strings.IndexByte(answer, '{'):])
		}
		s.clock.advance(failureEvery) // so that no failure is one too many
		if got := code("", "shop"); got != "unauthenticated" {
			t.Errorf("%s without a credential: %s", procedure, got)
		}
		s.clock.advance(failureEvery)
		if got := code(adminToken+"x", "shop"); got != "unauthenticated" {
			t.Errorf("%s with a wrong token: %s", procedure, got)
		}
		if got := code(otherToken, "shop"); got != "permission_denied" {
			t.Errorf("%s by an admin of another namespace: %s", procedure, got)
		}
		for r, token := range tokens {
			got := code(token, "shop")
			if r < needs && got != "permission_denied" {
				t.Errorf("%s as %s, which takes %s: %s", procedure, r, needs, got)
			}
			if r >= needs && (got == "permission_denied" || got == "unauthenticated" || got == "internal" || got == "unimplemented") {
				t.Errorf("%s as %s, which takes %s: %s", procedure, r, needs, got)
			}
		}
		if isRead(m) != (needs == viewer) {
			t.Errorf("%s takes the role %s; is it a read?", procedure, needs)
		}
	})
	if seen != len(required) || seen == 0 {
		t.Errorf("%d methods, and roles for %d", seen, len(required))
	}
}

// isRead reports whether the protos say that the method changes nothing.
func isRead(m protoreflect.MethodDescriptor) bool {
	options, _ := m.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}
