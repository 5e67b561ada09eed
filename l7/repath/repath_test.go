package repath_test

import (
	"errors"
	"strings"
	"testing"

	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/repath"
)

// A new path is made of groups, or there is none.
func TestAppend(t *testing.T) {
	for _, tt := range []struct{ match, replace, path, want string }{
		{"/old/(.*)", "/new/$1", "/old/a/b", "/new/a/b"},
		{"/old/(.*)", "/new/$1", "/other", "/other"},
		{"/(?P<user>[^/]+)/([0-9]+)", "/${2}x$2/of/${user}", "/ann/17", "/17x17/of/ann"},
		{"/a(/b)?(/c)?", "/x$1$2", "/a/c", "/x/c"},
		{"/(.*)", "$1", "/a/b", "/a/b"},
		{"/(.*)", "$1", "/", "/"},
		{"(/.*)", "$1/$$", "/a", "/a/$"},
		{"/(a)b", "/$1b", "/ab", "/ab"},
		{"/files/a(.*)", "/data/.$1", "/files/a./etc", ""},
		{"/a(.*)", "/.$1", "/a.%2fetc", ""},
		{"/(.)(.*)", "/$2$1", "/%01", ""},
		{"/%(25)(.*)", "/%$2", "/%252e", ""},
	} {
		re, err := repath.Compile(tt.match, tt.replace)
		if err != nil {
			t.Errorf("Compile(%q, %q): %v", tt.match, tt.replace, err)
			continue
		}
		got, ok := re.Append([]byte("kept"), []byte(tt.path))
		if ok != (tt.want != "") || ok && string(got) != "kept"+tt.want {
			t.Errorf("%s by %s to %s is %q, %v, want %q", tt.path, tt.match, tt.replace, got, ok, tt.want)
		}
	}
}

// The literal shows where groups are.
func TestLiteral(t *testing.T) {
	for replace, want := range map[string]string{"/a/$1": "/a/x", "$1/b": "/x/b", "$1": "/x", "/$$": "/$", "/": "/"} {
		re, err := repath.Compile("/(.*)", replace)
		if err != nil || re.Literal() != want {
			t.Errorf("%q: %v, %v, want %s", replace, re, err, want)
		}
	}
}

// FuzzAppend proves that whatever path comes, and however its parts are mixed, what
// is made of it reads as a request's path and stays as it is.
func FuzzAppend(f *testing.F) {
	f.Add("/files/a./etc")
	f.Add("/files/x%2f..%2fy")
	f.Add("/files/.%2e/")
	f.Add("/files/%01")
	f.Add("/files/%252e")
	var all []*repath.Regex
	for match, replace := range map[string]string{
		"/files/(.?)(.*)": "/data/.$2$1.", "/(.*)/(.*)": "$2$1", "(.*)%(.*)": "/$1/%$2", "/(..)(.*)(.)": "/$3$2$1",
	} {
		re, err := repath.Compile(match, replace)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, re)
	}
	read := func(path string) (*message.Request, error) {
		head := []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		req := &message.Request{}
		n, err := http1.ParseRequest(head, &http1.Scanner{}, http1.Limits{Head: 1 << 17, Fields: 10}, req)
		if err == nil && n != len(head) {
			err = errors.New("there is more than a head")
		}
		return req, err
	}
	f.Fuzz(func(t *testing.T, path string) {
		req, err := read(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		for _, re := range all {
			got, ok := re.Append(nil, req.Path)
			if !ok {
				continue
			}
			again, err := read(string(got))
			if err != nil || string(again.Path) != string(got) {
				t.Fatalf("%q becomes %q, which reads %q: %v", path, got, again.Path, err)
			}
		}
	})
}
