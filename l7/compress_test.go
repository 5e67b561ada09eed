package l7_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"portico/l7/compress"
	"portico/spec"
)

// TestCompression proves that what a client reads of a compressed answer is what
// the target sent, whatever its framing, that a stream of events is read event by
// event, and that what has no body or must stay as it is does.
func TestCompression(t *testing.T) {
	page := strings.Repeat("all targets are healthy, and so is this one. ", 5000)
	next := make(chan struct{})
	tgt := newTarget(t, "a")
	tgt.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("ETag", `"v1"`)
		switch r.URL.Path {
		case "/length":
			w.Header().Set("Content-Length", fmt.Sprint(len(page)))
			_, _ = io.WriteString(w, page)
		case "/chunked":
			for part := range strings.SplitSeq(page, ".") {
				_, _ = io.WriteString(w, part+".")
			}
		case "/same":
			w.WriteHeader(http.StatusNotModified)
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				<-next
			}
		case "/cut":
			w.Header().Set("Content-Length", fmt.Sprint(len(page)))
			_, _ = io.WriteString(w, page[:100_000])
			panic(http.ErrAbortHandler)
		}
	})
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		filtered(s, group("g", tgt), spec.Choice{Name: "compress", Params: &compress.Params{Concurrent: 2}})
	})
	unzip := func(a answer) string {
		t.Helper()
		r, err := gzip.NewReader(strings.NewReader(a.text))
		if err != nil {
			t.Fatalf("%s: %v", a.Status, err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", a.Status, err)
		}
		return string(text)
	}
	c := b.dial() // the same connection for all: every answer ends where it should
	for range 3 { // more than there are places, so that they are given back
		a := c.do("GET /length shop.test", "Accept-Encoding: gzip")
		if got := unzip(a); got != page || a.Header.Get("Content-Encoding") != "gzip" || a.Header.Get("ETag") != `W/"v1"` || a.ContentLength != -1 || len(a.text) > len(page)/10 {
			t.Errorf("/length: %d bytes of %d in %d, %v", len(got), len(page), len(a.text), a.Header)
		}
	}
	if got := unzip(c.do("GET /chunked shop.test", "Accept-Encoding: gzip")); got != page+"." && got != page {
		t.Errorf("/chunked: %d bytes, want %d", len(got), len(page))
	}
	if a := c.do("GET /length shop.test"); a.text != page || a.Header.Get("Content-Encoding") != "" || a.Header.Get("Vary") != "Accept-Encoding" || a.Header.Get("ETag") != `"v1"` {
		t.Errorf("a client that asks for nothing gets %d bytes, %v", len(a.text), a.Header)
	}
	if a := c.do("HEAD /length shop.test", "Accept-Encoding: gzip"); a.text != "" || a.Header.Get("Content-Encoding") != "gzip" || a.Header.Get("Content-Length") != "" {
		t.Errorf("HEAD gets %q, %v", a.text, a.Header)
	}
	if a := c.do("GET /same shop.test", "Accept-Encoding: gzip"); a.StatusCode != 304 || a.Header.Get("Content-Encoding") != "" {
		t.Errorf("not modified: %s %v", a.Status, a.Header)
	}

	c.send("GET /events HTTP/1.1\r\nHost: shop.test\r\nAccept-Encoding: gzip\r\n\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	events, err := gzip.NewReader(bufio.NewReader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		want, got := fmt.Sprintf("data: %d\n\n", i), make([]byte, 9)
		if _, err := io.ReadFull(events, got); err != nil || string(got) != want {
			t.Fatalf("event %d is %q, %v", i, got, err)
		}
		next <- struct{}{}
	}
	if rest, err := io.ReadAll(events); err != nil || len(rest) > 0 {
		t.Errorf("after the events: %q, %v", rest, err)
	}

	cut := b.dial()
	if a, err := cut.try("GET /cut shop.test", "Accept-Encoding: gzip"); err == nil {
		r, zipErr := gzip.NewReader(bytes.NewReader([]byte(a.text)))
		if zipErr == nil {
			_, zipErr = io.Copy(io.Discard, r)
		}
		if zipErr == nil {
			t.Error("half an answer looks whole")
		}
	}
	if got := unzip(b.dial().do("GET /length shop.test", "Accept-Encoding: gzip")); got != page {
		t.Errorf("after an answer that was cut off: %d bytes", len(got))
	}
}
