package engine_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portico/l7/transport"
)

// peer is one end of a connection of HTTP/2 by another implementation, frame by
// frame, so that it can do what no server or client of Go's does.
type peer struct {
	*http2.Framer
	t     testing.TB
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newPeer(tb testing.TB, c io.ReadWriter, r io.Reader) *peer {
	tb.Helper()
	p := &peer{Framer: http2.NewFramer(c, r), t: tb}
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.enc = hpack.NewEncoder(&p.block)
	return p
}

// head sends fields, as name and value in turns.
func (p *peer) head(stream uint32, end bool, fields ...string) {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes(), EndStream: end, EndHeaders: true})
}

// next reads frames until one that is not of the connection's upkeep, or nil at
// the end. Settings are acknowledged; pings are not.
func (p *peer) next() http2.Frame {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return nil
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = p.WriteSettingsAck()
			}
		case *http2.WindowUpdateFrame:
		default:
			return f
		}
	}
}

// frames makes the target one of HTTP/2 in plain text, with settings, whose
// connections, numbered from 0, serve takes frame by frame.
func (p *proxy) frames(serve func(n int, c *peer), settings ...http2.Setting) {
	n := make(chan int, 1)
	n <- 0
	p.script(func(c net.Conn, r *bufio.Reader) {
		i := <-n
		n <- i + 1
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(r, preface); err != nil || string(preface) != http2.ClientPreface {
			p.t.Errorf("connection %d begins with %q, %v", i, preface, err)
			return
		}
		x := newPeer(p.t, c, r)
		_ = x.WriteSettings(settings...)
		serve(i, x)
	})
	p.via.Store(transport.New(transport.Options{Protocol: transport.HTTP2}))
}

// streamsOf dials the proxy as a client that speaks HTTP/2.
func (p *proxy) streamsOf(c net.Conn) *peer {
	p.t.Helper()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		p.t.Fatal(err)
	}
	x := newPeer(p.t, c, c)
	_ = x.WriteSettings()
	return x
}

// tunnel sends a head that asks for one and then ping, and reads both ways to their
// ends: it returns the status, and what came.
func (p *peer) tunnel(fields ...string) (status, got string, err error) {
	p.head(1, false, fields...)
	for {
		switch f := p.next().(type) {
		case *http2.MetaHeadersFrame:
			if status = f.PseudoValue("status"); status != "200" {
				return status, got, nil
			}
			_ = p.WriteData(1, false, []byte("ping"))
		case *http2.DataFrame:
			got += string(f.Data())
			if f.StreamEnded() {
				return status, got, nil
			}
			if strings.HasSuffix(got, "ping") {
				_ = p.WriteData(1, true, nil)
			}
		case *http2.RSTStreamFrame:
			return status, got, fmt.Errorf("reset: %v", f.ErrCode)
		case nil:
			return status, got, errors.New("the connection ended")
		}
	}
}
