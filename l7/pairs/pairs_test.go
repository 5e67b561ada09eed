package pairs_test

import (
	"net/url"
	"strings"
	"testing"

	"portico/l7/message"
	"portico/l7/pairs"
)

// list reads a query whole, decoded.
func list(query string) string {
	var b strings.Builder
	q := pairs.NewQuery([]byte(query))
	for {
		name, value, ok := q.Next()
		if !ok {
			return strings.TrimSuffix(b.String(), " ")
		}
		b.Write(pairs.Decode(nil, name))
		b.WriteByte('=')
		b.Write(pairs.Decode(nil, value))
		b.WriteByte(' ')
	}
}

// A query has one meaning, whatever its bytes.
func TestQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":               "",
		"&&":             "",
		"a":              "a=",
		"a=":             "a=",
		"=a":             "=a",
		"a=1&b=2":        "a=1 b=2",
		"a=1&a=2":        "a=1 a=2",
		"a=b=c":          "a=b=c",
		"a=1;b=2":        "a=1;b=2",
		"%61=%62":        "a=b",
		"a=%2b%2B%26%3d": "a=++&=",
		"a=%":            "a=%",
		"a=%4":           "a=%4",
		"a=%zz%4g":       "a=%zz%4g",
		"a=x+y":          "a=x y",
	} {
		if got := list(query); got != want {
			t.Errorf("query %q is %q, want %q", query, got, want)
		}
	}
}

// Is compares with what Decode would write.
func TestIs(t *testing.T) {
	for _, tt := range []struct {
		sent, text string
		want       bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"%61", "a", true},
		{"a", "", false},
		{"", "a", false},
		{"a%2", "a%2", true},
		{"+", " ", true},
		{"+", "+", false},
		{"%00", "\x00", true},
		{"ab", "a", false},
		{"%61", "abc", false},
	} {
		if got := pairs.Is([]byte(tt.sent), tt.text); got != tt.want {
			t.Errorf("Is(%q, %q) = %v, want %v", tt.sent, tt.text, got, tt.want)
		}
	}
}

// Cookies of a name are found in every field, exactly.
func TestCookies(t *testing.T) {
	fields := []message.Field{
		{Name: []byte("X"), Value: []byte("a=0")},
		{Name: []byte("COOKIE"), Value: []byte(`b=1; a=2;a="3" ; A=4;a`)},
		{Name: []byte("cookie"), Value: []byte("aa=5; a=")},
	}
	var got []string
	for c := pairs.NewCookies(fields, "a"); ; {
		v, ok := c.Next()
		if !ok {
			break
		}
		got = append(got, string(v))
	}
	if strings.Join(got, "|") != "2|3|" {
		t.Errorf("cookies named a: %q", got)
	}
}

// FuzzQuery proves that any bytes are read to their end, that Is agrees with
// Decode, and that queries other libraries accept mean the same here.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"a=1&b=%20+", "%", "a=%4", "&=&", "a;b=c", "\x00\xff=%ff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		want, err := url.ParseQuery(query)
		seen := map[string]int{}
		q := pairs.NewQuery([]byte(query))
		for {
			name, value, ok := q.Next()
			if !ok {
				break
			}
			n, v := string(pairs.Decode(nil, name)), string(pairs.Decode(nil, value))
			if !pairs.Is(name, n) || !pairs.Is(value, v) || pairs.Is(value, v+"x") {
				t.Fatalf("Is does not agree with Decode on %q=%q", name, value)
			}
			if !pairs.Encoded(value) && v != string(value) {
				t.Fatalf("%q is not encoded, but decodes to %q", value, v)
			}
			if err == nil {
				if i := seen[n]; i >= len(want[n]) || want[n][i] != v {
					t.Fatalf("query %q: %q is %q, others read %q", query, n, v, want[n])
				}
				seen[n]++
			}
		}
		if err == nil {
			for n, values := range want {
				if seen[n] != len(values) {
					t.Fatalf("query %q: %q was found %d times, others find %q", query, n, seen[n], values)
				}
			}
		}
	})
}

// FuzzCookies proves that a cookie's value is part of what was sent.
func FuzzCookies(f *testing.F) {
	f.Add("a=1; b=2", "a")
	f.Add(`a="1";;=; a`, "a")
	f.Fuzz(func(t *testing.T, value, name string) {
		c := pairs.NewCookies([]message.Field{{Name: []byte("Cookie"), Value: []byte(value)}}, name)
		for range len(value) + 1 {
			v, ok := c.Next()
			if !ok {
				return
			}
			if !strings.Contains(value, string(v)) {
				t.Fatalf("cookie %q of %q", v, value)
			}
		}
		t.Fatal("the walk does not end")
	})
}
