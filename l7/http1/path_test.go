package http1_test

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/l7/http1"
	"portico/l7/message"
)

// pathOf returns the Path that a target in origin form gives, or the error.
func pathOf(target string) (string, error) {
	req, _, err := parseRequest(lines("GET "+target+" HTTP/1.1", "Host: a"))
	return string(req.Path), err
}

// Rules match on a path without dot segments, escaped or not, whatever else it holds.
func TestPath(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"/", "/"},
		{"/a/b", "/a/b"},
		{"/a/b/", "/a/b/"},
		{"/a.b/c..d/...", "/a.b/c..d/..."},
		{"/.well-known/x", "/.well-known/x"},
		{"/..a/.b/..", "/..a/"},
		{"/.", "/"},
		{"/..", "/"},
		{"/../..", "/"},
		{"/../../a", "/a"},
		{"/./a", "/a"},
		{"/a/.", "/a/"},
		{"/a/..", "/"},
		{"/a/../b", "/b"},
		{"/a/b/../../c", "/c"},
		{"/a/b/c/./../../g", "/a/g"}, // RFC 3986, section 5.2.4
		{"/a//../b", "/a/b"},
		{"//..", "/"},
		{"//a", "//a"},
		{"/%2e", "/"},
		{"/a/%2E%2e/b", "/b"},
		{"/a/.%2e", "/"},
		{"/a/%2e./b", "/b"},
		{"/%61%7a%41%5A%30%39%2d%5f%7E", "/azAZ09-_~"},
		{"/a%2Fb/%2f", "/a%2Fb/%2f"},
		{"/a%2f.b/c.%5c", "/a%2f.b/c.%5c"},
		{`/a\b...\`, `/a\b...\`},
		{"/a/...%2fb/x.;.", "/a/...%2fb/x.;."},
		{"/%25%32%65", "/%252e"}, // decoded once
		{"/%252e%252e/", "/%252e%252e/"},
		{"/caf%C3%a9", "/caf%C3%a9"},
		{"/a%20b+c", "/a%20b+c"},
		{"/%3f%23?x", "/%3f%23"},
		{"/a?/../b", "/a"},
	} {
		if got, err := pathOf(c.in); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

// A path that a target may resolve to another than the one rules match is refused.
func TestPathAmbiguous(t *testing.T) {
	for _, target := range []string{
		"/a/..%2fadmin", "/a/%2e%2e%2Fadmin", "/a/..%5cadmin", `/a/..\admin`, `/a\..\b`, `/a\..`, `/a\.`,
		"/a%2f../b", "/a%2f..", "/a%5C%2e%2e%5cb", "/a/..;/b", "/a/..;x=y/b", "/a/.;/b", "/a/.%2fb",
		"/a%2f.%2fb", "/...%2f..%2fb", `/.\a`, "/a/./..%2f",
	} {
		if got, err := pathOf(target); err == nil || err.Error() != "http1: ambiguous dot segment in path" {
			t.Errorf("%s: %q, %v", target, got, err)
		}
	}
}

// A normal path stays as it is, starts with a slash and has no dot segment left;
// without empty segments it is what path.Clean makes of it.
func TestPathProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "b.c", ".", "..", "%2e", "%2E.", "...", "%2F", "%41", "/", "/", "/", `\`,
		}), 0, 12).Draw(t, "path"), "")
		got, err := pathOf(in)
		if err != nil {
			if !strings.Contains(in, "%2F") && !strings.Contains(in, `\`) {
				t.Fatal(err)
			}
			return
		}
		slashes := strings.NewReplacer("%2F", "/", `\`, "/").Replace(got)
		for segment := range strings.SplitSeq(slashes, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q: %q has a dot segment", in, got)
			}
		}
		if got[0] != '/' {
			t.Fatalf("%q: %q has no slash", in, got)
		}
		if again, err := pathOf(got); err != nil || again != got {
			t.Fatalf("%q: %q becomes %q, %v", in, got, again, err)
		}
		decoded := strings.NewReplacer("%2e", ".", "%2E", ".", "%41", "A").Replace(in)
		if strings.Contains(decoded, "//") {
			return
		}
		if want := path.Clean(decoded); strings.TrimSuffix(got, "/") != strings.TrimSuffix(want, "/") {
			t.Fatalf("%q: %q, want %q", in, got, want)
		}
	})
}

// Host and Path share the scratch memory; one does not overwrite the other, and a
// filter that appends to either spoils nothing.
func TestScratchShared(t *testing.T) {
	req := message.Request{Scratch: make([]byte, 0, 256)}
	in := []byte(lines("GET /a/../b%41 HTTP/1.1", "Host: WWW.Example"))
	if _, err := http1.ParseRequest(in, new(http1.Scanner), limits, &req); err != nil {
		t.Fatal(err)
	}
	_ = append(req.Path, "-----------"...)
	_ = append(req.Host, "-----------"...)
	if string(req.Path) != "/bA" || string(req.Host) != "www.example" {
		t.Errorf("path %q, host %q", req.Path, req.Host)
	}
}

// A path is normal exactly when reading it as a request's changes nothing.
func TestNormal(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a/b": true, "/a%20b": true, "/a%2fb": true, "*": true, "/a.b/..c": true,
		"/%": false, "/%4": false, "/%zz": false, "/%00": false, "/%41": false, "/a b": false, "/ü": false,
		"/..": false, "/a/../b": false, "/a/.": false, "/..%2fa": false, "/a#b": false,
	} {
		if got := http1.Normal([]byte(path)); got != want {
			t.Errorf("Normal(%q) = %v, want %v", path, got, want)
		}
	}
}
