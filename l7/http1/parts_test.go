package http1_test

import (
	"errors"
	"testing"

	"portico/l7/http1"
	"portico/l7/message"
)

// TestSetPath proves that a path means the same as in a request line.
func TestSetPath(t *testing.T) {
	tests := []struct {
		method, path string
		want, query  string
		has          bool
		err          string
	}{
		{"GET", "/", "/", "", false, ""},
		{"GET", "/a/../b?c=d", "/b", "c=d", true, ""},
		{"GET", "/%61?", "/a", "", true, ""},
		{"OPTIONS", "*", "*", "", false, ""},
		{"GET", "*", "", "", false, "http1: request target"},
		{"GET", "", "", "", false, "http1: request target"},
		{"GET", "http://x/", "", "", false, "http1: request target"},
		{"GET", "/a b", "", "", false, "http1: character in request target"},
		{"GET", "/a#b", "", "", false, "http1: fragment in request target"},
		{"GET", "/a\r\nb", "", "", false, "http1: character in request target"},
		{"GET", "/%00", "", "", false, "http1: NUL in path"},
		{"GET", "/..%2f", "", "", false, "http1: ambiguous dot segment in path"},
	}
	for _, tt := range tests {
		req := &message.Request{Method: []byte(tt.method)}
		err := http1.SetPath(req, []byte(tt.path))
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("SetPath(%q) = %v, want %s", tt.path, err, tt.err)
			}
			continue
		}
		if err != nil || string(req.Path) != tt.want || string(req.Query) != tt.query || req.HasQuery != tt.has || string(req.Target) != tt.path {
			t.Errorf("SetPath(%q) = %q ? %q (%v), %v", tt.path, req.Path, req.Query, req.HasQuery, err)
		}
	}
}

// TestSetAuthority proves that a request is for one host, or refused.
func TestSetAuthority(t *testing.T) {
	tests := []struct {
		authority, host []byte
		want            string
		err             string
	}{
		{[]byte("X.test:80"), nil, "x.test", ""},
		{nil, []byte("x.test"), "x.test", ""},
		{[]byte("x.test"), []byte("X.TEST"), "x.test", ""},
		{[]byte("x.test"), []byte("y.test"), "", "http1: host differs from request target"},
		{nil, nil, "", "http1: no host"},
		{[]byte("a@x.test"), nil, "", "http1: host"},
		{[]byte(""), nil, "", "http1: host"},
	}
	for _, tt := range tests {
		var req message.Request
		err := http1.SetAuthority(&req, tt.authority, tt.host)
		if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err || string(req.Host) != tt.want {
			t.Errorf("SetAuthority(%q, %q) = %q, %v, want %q, %s", tt.authority, tt.host, req.Host, err, tt.want, tt.err)
		}
	}
}

// TestParts proves what the smaller ones say.
func TestParts(t *testing.T) {
	if n, err := http1.ParseLength([]byte("17")); n != 17 || err != nil {
		t.Errorf("ParseLength(17) = %d, %v", n, err)
	}
	for _, bad := range []string{"", "+1", "1,1", "99999999999999999999"} {
		if _, err := http1.ParseLength([]byte(bad)); err == nil {
			t.Errorf("ParseLength(%q) is no error", bad)
		}
	}
	for name, want := range map[string]bool{"grpc-status": true, "Content-Length": false, "Host": false} {
		if got := http1.Trailer([]byte(name)); got != want {
			t.Errorf("Trailer(%s) = %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]bool{"Accept": true, "TE": false, "Host": false, "Connection": false, "Transfer-Encoding": false} {
		if got := http1.EndToEnd([]byte(name)); got != want {
			t.Errorf("EndToEnd(%s) = %v, want %v", name, got, want)
		}
	}
	for value, want := range map[string]bool{"trailers": true, "gzip, trailers": true, "gzip": false} {
		if got := http1.AsksTrailers(&message.Field{Name: []byte("te"), Value: []byte(value)}); got != want {
			t.Errorf("AsksTrailers(%s) = %v, want %v", value, got, want)
		}
	}
	if e, ok := errors.AsType[*http1.Error](http1.ErrHeadSize); !ok || e.Status != 431 {
		t.Errorf("ErrHeadSize = %v, want 431", http1.ErrHeadSize)
	}
}
