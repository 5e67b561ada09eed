package sticky_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"portico/l7/message"
	"portico/l7/sticky"
	"portico/spec"
)

var (
	start  = time.Unix(1_700_000_000, 0)
	groups = []spec.GroupRef{{Name: "api", Weight: 90}, {Name: "canary", Weight: 10}}
	keyA   = []byte("0123456789abcdef0123456789abcdef")
	keyB   = []byte("fedcba9876543210fedcba9876543210")
)

func cookie(ttl time.Duration, keys ...[]byte) *sticky.Cookie {
	return sticky.New("shop", &spec.StickyCookie{TTL: spec.Duration(ttl)}, groups, sticky.NewKeys(keys...))
}

func header(values ...string) []message.Field {
	fields := []message.Field{{Name: []byte("Accept"), Value: []byte("*/*")}}
	for _, v := range values {
		fields = append(fields, message.Field{Name: []byte("Cookie"), Value: []byte(v)})
	}
	return fields
}

// pair returns NAME=VALUE of a Set-Cookie value.
func pair(set []byte) string {
	p, _, _ := strings.Cut(string(set), ";")
	return p
}

// What Append writes, Read remembers: among other cookies, in any field, quoted
// or not, and after cookies of the same name that are not ours.
func TestRoundTrip(t *testing.T) {
	c := cookie(time.Hour, keyA)
	want := sticky.Session{Group: "canary", Target: 0xfeedface}
	p := pair(c.Append(nil, want, start, false))
	name, value, _ := strings.Cut(p, "=")
	tests := []struct {
		name   string
		fields []message.Field
	}{
		{"alone", header(p)},
		{"among others", header("a=1; " + p + "; b=2")},
		{"without spaces", header("a=1;" + p + ";b=2")},
		{"second field", header("a=1", "b=2; "+p)},
		{"quoted", header(name + `="` + value + `"`)},
		{"after a foreign one", header(name + "=x; " + p)},
		{"with empty parts", header(";; ;" + p + ";")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, v := c.Read(tt.fields, start)
			if v != sticky.Valid || got != want {
				t.Errorf("Read = %+v, %v, want %+v", got, v, want)
			}
		})
	}
}

// A cookie is good until its time is over, for its route and name, and only
// with a known key and a group that the rule still has.
func TestVerdicts(t *testing.T) {
	c := cookie(time.Hour, keyA)
	s := sticky.Session{Group: "api", Target: 7}
	p := pair(c.Append(nil, s, start, false))
	forever := pair(cookie(0, keyA).Append(nil, s, start, false))
	tests := []struct {
		name   string
		cookie *sticky.Cookie
		value  string
		after  time.Duration
		want   sticky.Verdict
	}{
		{"no cookie", c, "a=1", 0, sticky.None},
		{"no value", c, "PORTICO=", 0, sticky.Invalid},
		{"name only", c, "PORTICO", 0, sticky.None},
		{"other case of the name", c, strings.ToLower(p), 0, sticky.None},
		{"longer name", c, "X" + p, 0, sticky.None},
		{"just in time", c, p, time.Hour - time.Second, sticky.Valid},
		{"expired", c, p, time.Hour, sticky.Expired},
		{"session cookies do not expire", c, forever, 24 * 365 * time.Hour, sticky.Valid},
		{"too short", c, p[:len(p)-1], 0, sticky.Invalid},
		{"too long", c, p + "A", 0, sticky.Invalid},
		{"old key still verifies", cookie(time.Hour, keyB, keyA), p, 0, sticky.Valid},
		{"unknown key", cookie(time.Hour, keyB), p, 0, sticky.Invalid},
		{"other route", sticky.New("cart", &spec.StickyCookie{}, groups, sticky.NewKeys(keyA)), p, 0, sticky.Invalid},
		{"other name", sticky.New("shop", &spec.StickyCookie{Name: "S"}, groups, sticky.NewKeys(keyA)), "S" + strings.TrimPrefix(p, "PORTICO"), 0, sticky.Invalid},
		{"group removed", sticky.New("shop", &spec.StickyCookie{}, groups[1:], sticky.NewKeys(keyA)), p, 0, sticky.Orphaned},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, v := tt.cookie.Read(header(tt.value), start.Add(tt.after))
			if v != tt.want || (v != sticky.Valid) != (got == sticky.Session{}) {
				t.Errorf("Read = %+v, %v (%d), want %v", got, v, v, tt.want)
			}
		})
	}
}

// No single changed bit of a cookie goes unnoticed.
func TestTampering(t *testing.T) {
	c := cookie(time.Hour, keyA)
	p := pair(c.Append(nil, sticky.Session{Group: "api", Target: 7}, start, false))
	name, value, _ := strings.Cut(p, "=")
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if _, v := c.Read(header(name+"="+base64.RawURLEncoding.EncodeToString(raw)), start); v != sticky.Invalid {
			t.Errorf("with bit %d changed the cookie %v", i, v)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
}

// The work one request can cause is bounded: the fifth cookie of our name is
// not looked at.
func TestTriesBounded(t *testing.T) {
	c := cookie(time.Hour, keyA)
	p := pair(c.Append(nil, sticky.Session{Group: "api", Target: 7}, start, false))
	if _, v := c.Read(header(strings.Repeat("PORTICO=x; ", 3)+p), start); v != sticky.Valid {
		t.Errorf("fourth cookie %v", v)
	}
	if _, v := c.Read(header(strings.Repeat("PORTICO=x; ", 4)+p), start); v != sticky.Invalid {
		t.Errorf("fifth cookie %v", v)
	}
}

// The attributes keep scripts and other sites away, and plain text where TLS was.
func TestAttributes(t *testing.T) {
	s := sticky.Session{Group: "api", Target: 7}
	tests := []struct {
		name   string
		ttl    time.Duration
		secure bool
		want   string
	}{
		{"until the browser closes", 0, false, "; Path=/; HttpOnly; SameSite=Lax"},
		{"with a TTL", 90 * time.Minute, false, "; Path=/; HttpOnly; SameSite=Lax; Max-Age=5400"},
		{"over TLS", time.Second, true, "; Path=/; HttpOnly; SameSite=Lax; Max-Age=1; Secure"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := string(cookie(tt.ttl, keyA).Append(nil, s, start, tt.secure))
			if !strings.HasPrefix(set, "PORTICO=") || !strings.HasSuffix(set, tt.want) || len(set) != len("PORTICO=")+55+len(tt.want) {
				t.Errorf("Append = %q, want attributes %q", set, tt.want)
			}
		})
	}
}

// Targets see every cookie but ours.
func TestStrip(t *testing.T) {
	tests := []struct {
		name string
		in   []string
		want []string
	}{
		{"no cookies", nil, nil},
		{"others only", []string{"a=1; b=2"}, []string{"a=1; b=2"}},
		{"name as a value", []string{"a=PORTICO;b=2"}, []string{"a=PORTICO;b=2"}},
		{"ours only", []string{"PORTICO=x"}, nil},
		{"first", []string{"PORTICO=x; a=1"}, []string{"a=1"}},
		{"middle", []string{"a=1; PORTICO=x;b=2"}, []string{"a=1; b=2"}},
		{"last", []string{"a=1; PORTICO=x"}, []string{"a=1"}},
		{"twice", []string{"PORTICO=x; a=1; PORTICO=y"}, []string{"a=1"}},
		{"in two fields", []string{"PORTICO=x", "c=3; PORTICO=y"}, []string{"c=3"}},
	}
	c := cookie(0, keyA)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields, scratch := c.Strip(header(tt.in...), []byte("kept"))
			var got []string
			for _, f := range fields[1:] {
				got = append(got, string(f.Value))
			}
			if strings.Join(got, "|") != strings.Join(tt.want, "|") || string(fields[0].Value) != "*/*" {
				t.Errorf("Strip(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if !strings.HasPrefix(string(scratch), "kept") {
				t.Errorf("scratch is %q", scratch)
			}
		})
	}
}

// Whatever a client sends, reading neither panics nor believes it, and what is
// left after stripping holds no cookie of ours.
func FuzzRead(f *testing.F) {
	c := cookie(time.Hour, keyA)
	good := pair(c.Append(nil, sticky.Session{Group: "api", Target: 7}, start, false))
	for _, seed := range []string{"", good, "a=1; " + good + "x", "PORTICO=", `PORTICO="`, "PORTICO=\xff; ;;=", strings.Repeat("PORTICO=a;", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if _, v := c.Read(header(value), start); v == sticky.Valid && !strings.Contains(value, strings.TrimPrefix(good, "PORTICO=")) {
			t.Errorf("Read believes %q", value)
		}
		fields, _ := c.Strip(header(value), nil)
		if _, v := c.Read(fields, start); v != sticky.None {
			t.Errorf("after Strip of %q the cookie %v", value, v)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	c := cookie(time.Hour, keyA)
	fields := header("a=1; " + pair(c.Append(nil, sticky.Session{Group: "api", Target: 7}, start, true)))
	b.ReportAllocs()
	for b.Loop() {
		c.Read(fields, start)
	}
}

func BenchmarkAppend(b *testing.B) {
	c := cookie(time.Hour, keyA)
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		c.Append(buf, sticky.Session{Group: "api", Target: 7}, start, true)
	}
}
