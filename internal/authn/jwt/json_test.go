package jwt

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeObject(t *testing.T) {
	text := ` {"a":1,"b":-0.5e1,"c":[true,false,null,{}],"d":{"e":"\u00e9\n\ud83d\ude00\/"},"":"x","big":9223372036854775807,"f":1.0} `
	got, err := decodeObject(text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": int64(1), "b": -5.0, "c": []any{true, false, nil, map[string]any{}},
		"d": map[string]any{"e": "é\n😀/"}, "": "x", "big": int64(9223372036854775807), "f": 1.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeObjectRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":              {"", errJSON},
		"array":                {"[]", errJSON},
		"string":               {`"{}"`, errJSON},
		"null":                 {"null", errJSON},
		"open":                 {`{"a":1`, errJSON},
		"trailing":             {`{}{}`, errJSON},
		"trailing comma":       {`{"a":1,}`, errJSON},
		"array comma":          {`{"a":[1,]}`, errJSON},
		"NUL at the end":       {"{}\x00", errJSON},
		"byte order mark":      {"\ufeff{}", errJSON},
		"comment":              {`{/**/}`, errJSON},
		"single quotes":        {`{'a':1}`, errJSON},
		"bare name":            {`{a:1}`, errJSON},
		"NaN":                  {`{"a":NaN}`, errJSON},
		"Infinity":             {`{"a":-Infinity}`, errJSON},
		"True":                 {`{"a":True}`, errJSON},
		"invalid UTF-8":        {"{\"a\":\"\xff\"}", errJSON},
		"control in string":    {"{\"a\":\"\n\"}", errJSON},
		"control after escape": {"{\"a\":\"\\n\x01\"}", errJSON},
		"unknown escape":       {`{"a":"\x41"}`, errJSON},
		"short escape":         {`{"a":"\u12"}`, errJSON},
		"lone high surrogate":  {`{"a":"\ud800"}`, errJSON},
		"lone low surrogate":   {`{"a":"\udc00"}`, errJSON},
		"two high surrogates":  {`{"a":"\ud800\ud800"}`, errJSON},
		"leading zero":         {`{"a":01}`, errJSON},
		"plus":                 {`{"a":+1}`, errJSON},
		"no digits":            {`{"a":-}`, errJSON},
		"no fraction":          {`{"a":1.}`, errJSON},
		"no exponent":          {`{"a":1e}`, errJSON},
		"hexadecimal":          {`{"a":0x1}`, errJSON},
		"float overflow":       {`{"a":1e999}`, errNumber},
		"integer overflow":     {`{"a":9223372036854775808}`, errNumber},
		"twice":                {`{"a":1,"a":1}`, errDuplicate},
		"twice, escaped":       {`{"a":1,"\u0061":2}`, errDuplicate},
		"twice, inside":        {`{"a":[{"b":1,"b":2}]}`, errDuplicate},
		"deep":                 {`{"a":` + nested(16) + `}`, errDepth},
		"deep objects":         {strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat(`}`, 17), errDepth},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decodeObject(c.text); !errors.Is(err, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	if _, err := decodeObject(`{"a":` + nested(15) + `}`); err != nil {
		t.Errorf("depth 16: %v", err)
	}
}

// FuzzDecodeObject: what it accepts encoding/json accepts too, with the same values.
func FuzzDecodeObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":[1,-2.5e3,true,null,"x\u00e9\\"],"b":{"c":{}}}`, `{"exp":1e999}`, `{"a":1,"a":2}`,
		`{"a":"\ud83d\ude00"}`, ` {"a" : -0 } `, `{"a":9007199254740993}`, "{\"a\":\"\xff\"}", `{"a":"\`, `{"a":"\u`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeObject(text)
		if err != nil {
			return
		}
		in := json.NewDecoder(strings.NewReader(text))
		in.UseNumber()
		var want map[string]any
		if err := in.Decode(&want); err != nil || want == nil {
			t.Fatalf("encoding/json refuses %q: %v", text, err)
		}
		if _, err := in.Token(); !errors.Is(err, io.EOF) {
			t.Fatalf("something follows in %q", text)
		}
		if diff := cmp.Diff(exact(t, want), any(got)); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
	})
}

// exact turns the numbers of encoding/json into those of decodeObject.
func exact(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		for i := range v {
			v[i] = exact(t, v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = exact(t, v[name])
		}
	}
	return v
}
