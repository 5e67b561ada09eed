package relay_test

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"portico/internal/netx"
)

// The benchmarks stand beside the same work without a relay, to be divided by it.
func viaAndDirect(b *testing.B, serve func(*net.TCPConn), work func(*testing.B, netip.AddrPort)) {
	b.Helper()
	target := server(b, "127.0.2.1", serve)
	vip := free(b, "127.0.1.10")
	start(b, tcpSpec(vip, target))
	b.Run("direct", func(b *testing.B) { work(b, target) })
	b.Run("relay", func(b *testing.B) { work(b, vip) })
}

func BenchmarkEcho(b *testing.B) {
	viaAndDirect(b, echo, func(b *testing.B, to netip.AddrPort) {
		b.Helper()
		c := dial(b, to)
		buf := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkConnect(b *testing.B) {
	viaAndDirect(b, echo, func(b *testing.B, to netip.AddrPort) {
		b.Helper()
		buf := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			c, err := netx.Dialer{}.Dial(b.Context(), to)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
			netx.Reset(c) // TIME_WAIT would use up the ports
		}
	})
}

func BenchmarkBulk(b *testing.B) {
	const size = 1 << 20
	serve := func(c *net.TCPConn) {
		block := make([]byte, size)
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}
	viaAndDirect(b, serve, func(b *testing.B, to netip.AddrPort) {
		b.Helper()
		c := dial(b, to)
		buf := make([]byte, size)
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
		netx.Reset(c)
	})
}
