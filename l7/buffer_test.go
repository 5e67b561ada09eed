package l7_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"portico/l7/filter"
	"portico/spec"
)

// TestBuffer proves that a target hears of a request only when all of it is here,
// and the client of an answer only when that is whole; of HTTP/1.1 and HTTP/2 alike.
func TestBuffer(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/half":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		case "/large":
			_, _ = w.Write(make([]byte, 100_000))
		default:
			_, _ = fmt.Fprintf(w, "%s of %d", body, r.ContentLength)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(s.Close)
	b := newBed(t, func(_ *bed, want *spec.Spec) {
		filtered(want, group("g", s), spec.Choice{Name: "buffer", Params: &filter.Buffer{Request: 10, Response: 1000}})
	})
	c := b.dial()
	c.send("POST /form HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	other := b.dial() // by which time the other was heard
	if a := other.do("GET / shop.test"); a.StatusCode != 200 || asked.Load() != 1 {
		t.Errorf("answered %d while another request is held, and %d requests reached the target", a.StatusCode, asked.Load())
	}
	c.send("0\r\n\r\n")
	held, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _ = held.Body.Close(); held.ContentLength != 10 {
		t.Errorf("a held request got %+v", held)
	}
	if a := other.do("GET /half shop.test"); a.StatusCode != 502 {
		t.Errorf("half an answer came as %d %q", a.StatusCode, a.text)
	}
	if a := other.do("GET /large shop.test"); len(a.text) != 100_000 {
		t.Errorf("of an answer larger than is held came %d bytes", len(a.text))
	}
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	t.Cleanup(tr.CloseIdleConnections)
	for body, want := range map[string]string{"hello": "200 hello of 5", "hello world": "413 413 Content Too Large"} {
		r, err := (&http.Client{Transport: tr}).Post(fmt.Sprintf("http://127.0.0.1:%d/", b.http), "", io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if got, _, _ := strings.Cut(fmt.Sprint(r.StatusCode, " ", string(text)), "\n"); got != want || r.ProtoMajor != 2 {
			t.Errorf("%q over %s: %s, want %s", body, r.Proto, got, want)
		}
	}
}
