package streams

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// newEvents is a target that sends each text of next as one event at once, and
// says on left that its client is gone.
func newEvents(t *testing.T, address string) (next chan string, left chan bool) {
	t.Helper()
	next, left = make(chan string), make(chan bool, 10)
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-r.Context().Done():
				left <- true
				return
			case text := <-next:
				_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
				_ = http.NewResponseController(w).Flush()
			}
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return next, left
}

// events is a client's end of a stream of events.
type events struct {
	body  io.ReadCloser
	lines *bufio.Scanner
	leave func()
}

func openEvents(t *testing.T, url, ca string) *events {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "streams.example"}}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req) //nolint:bodyclose // leave closes it
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("status %d, %q", resp.StatusCode, got)
	}
	e := &events{body: resp.Body, lines: bufio.NewScanner(resp.Body)}
	e.leave = func() {
		cancel()
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
	t.Cleanup(e.leave)
	return e
}

// read returns the next line that is not empty.
func (e *events) read(t *testing.T) string {
	t.Helper()
	for e.lines.Scan() {
		if line := strings.TrimSpace(e.lines.Text()); line != "" {
			return line
		}
	}
	t.Fatalf("the stream ended: %v", e.lines.Err())
	return ""
}
