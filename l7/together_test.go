package l7_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portico/l7/compress"
	"portico/l7/filter"
	"portico/l7/pages"
	"portico/spec"
)

// errorPage is in place of all that went wrong, whoever says so.
func errorPage() spec.Choice {
	return spec.Choice{Name: "errorPages", Params: &filter.ErrorPages{Targets: true, Pages: []filter.ErrorPage{{
		Statuses: []pages.Status{{Low: 400, High: 599}}, HTML: &filter.PageBody{Text: "<h1>sorry</h1>"},
	}}}}
}

// clients are one of each protocol.
func (b *bed) clients() map[string]*http.Client {
	all := map[string]*http.Client{}
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		p := new(http.Protocols)
		p.SetHTTP1(!h2)
		p.SetUnencryptedHTTP2(h2)
		tr := &http.Transport{Protocols: p, DisableCompression: true}
		b.t.Cleanup(tr.CloseIdleConnections)
		all[name] = &http.Client{Transport: tr}
	}
	return all
}

// TestGRPCWeb proves that calls of gRPC-Web, binary and in base64, whose trailers are
// in the body, pass in both directions as they are, also where filters of the rule
// would hold, compress or replace other answers.
func TestGRPCWeb(t *testing.T) {
	frame := func(kind byte, text string) []byte {
		return append([]byte{kind, 0, 0, 0, byte(len(text))}, text...)
	}
	call := frame(0, "\x0a\x05hello\x00\xff\r\n")
	reply := append(frame(0, strings.Repeat("world", 40)), frame(0x80, "grpc-status: 5\r\ngrpc-message: none\r\n")...)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		kind, out := r.Header.Get("Content-Type"), reply
		if strings.HasPrefix(kind, "application/grpc-web-text") {
			body, _ = base64.StdEncoding.DecodeString(string(body))
			out = []byte(base64.StdEncoding.EncodeToString(reply))
		}
		if !bytes.Equal(body, call) {
			t.Errorf("the target got %q", body)
		}
		w.Header().Set("Content-Type", kind)
		if r.URL.Path == "/refused" {
			w.WriteHeader(503)
		}
		_, _ = w.Write(out[:20])
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(out[20:])
	}))
	t.Cleanup(s.Close)
	b := newBed(t, func(_ *bed, want *spec.Spec) {
		filtered(want, group("g", s), errorPage(),
			spec.Choice{Name: "compress", Params: &compress.Params{Types: []string{"text/*", "application/json"}}},
			spec.Choice{Name: "buffer", Params: &filter.Buffer{Request: 1 << 20, Response: 1 << 20}})
	})
	for name, c := range b.clients() {
		for _, kind := range []string{"application/grpc-web+proto", "application/grpc-web-text"} {
			for path, status := range map[string]int{"/shop.Cart/Get": 200, "/refused": 503} {
				in, want := call, reply
				if kind == "application/grpc-web-text" {
					in, want = []byte(base64.StdEncoding.EncodeToString(call)), []byte(base64.StdEncoding.EncodeToString(reply))
				}
				req, _ := http.NewRequestWithContext(t.Context(), "POST", fmt.Sprintf("http://127.0.0.1:%d%s", b.http, path), bytes.NewReader(in))
				req.Header = http.Header{"Content-Type": {kind}, "Accept": {"text/html, */*"}, "Accept-Encoding": {"gzip"}, "X-Grpc-Web": {"1"}}
				r, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r.Body)
				_ = r.Body.Close()
				if err != nil || r.StatusCode != status || !bytes.Equal(got, want) || r.Header.Get("Content-Type") != kind || r.Header.Get("Content-Encoding") != "" {
					t.Errorf("%s, %s: %d %q, %v, %v", name, kind, r.StatusCode, got, r.Header, err)
				}
			}
		}
	}
}

// TestCompressAndErrorPages proves that a page in place of a target's error is read
// as it is, whichever of the two filters comes first, and other answers are compressed.
func TestCompressAndErrorPages(t *testing.T) {
	text := strings.Repeat("all targets are healthy. ", 500)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("ETag", `"v1"`)
		if r.URL.Path == "/broken" {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	zip := spec.Choice{Name: "compress", Params: &compress.Params{}}
	for order, filters := range map[string][]spec.Choice{
		"compress first": {zip, errorPage()}, "pages first": {errorPage(), zip},
	} {
		b := newBed(t, func(_ *bed, want *spec.Spec) { filtered(want, group("g", s), filters...) })
		for name, c := range b.clients() {
			for range 2 {
				for path, want := range map[string]string{"/": "200 " + text, "/broken": "500 <h1>sorry</h1>"} {
					req, _ := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://127.0.0.1:%d%s", b.http, path), nil)
					req.Header = http.Header{"Accept": {"text/html"}, "Accept-Encoding": {"gzip"}}
					r, err := c.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					var body io.Reader = r.Body
					zipped := r.Header.Get("Content-Encoding") == "gzip"
					if zipped {
						if body, err = gzip.NewReader(r.Body); err != nil {
							t.Fatalf("%s, %s, %s: %v", order, name, path, err)
						}
					}
					got, err := io.ReadAll(body)
					_ = r.Body.Close()
					if err != nil || fmt.Sprint(r.StatusCode, " ", string(got)) != want || zipped != (path == "/") {
						t.Errorf("%s, %s, %s: %d with %d bytes, %v, %v", order, name, path, r.StatusCode, len(got), r.Header, err)
					}
				}
			}
		}
	}
}
