package dns_test

import (
	"encoding/binary"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mdns "github.com/miekg/dns"

	"portico/dns"
)

// TestDeadlines proves how long each phase of a connection may take, and that the
// clock of a query does not start again with each of its bytes.
func TestDeadlines(t *testing.T) {
	msg, _ := query("host.example.com.", mdns.TypeA).Pack()
	one := append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
	ask := func(t *testing.T, c net.Conn) {
		t.Helper()
		if _, err := c.Write(one); err != nil {
			t.Fatal(err)
		}
		if m, err := frame(c); err != nil || len(m.Answer) != 1 {
			t.Fatalf("%v, %v", err, m)
		}
	}
	for _, tc := range []struct {
		name   string
		client func(t *testing.T, c net.Conn)
		want   time.Duration // until the server ends the connection
	}{
		{"says nothing", func(*testing.T, net.Conn) {}, 10 * time.Second},
		{"idles after a query", func(t *testing.T, c net.Conn) {
			time.Sleep(9 * time.Second)
			ask(t, c)
		}, 19 * time.Second},
		{"sends half a query", func(_ *testing.T, c net.Conn) { _, _ = c.Write(one[:9]) }, 5 * time.Second},
		{"sends a query byte by byte", func(_ *testing.T, c net.Conn) {
			for i := range one {
				if _, err := c.Write(one[i : i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 5 * time.Second},
		{"asks, each time with a part of the next", func(t *testing.T, c net.Conn) {
			rest := one
			for range 4 {
				if _, err := c.Write(append(append([]byte(nil), rest...), one[:7]...)); err != nil {
					t.Fatal(err)
				}
				if _, err := frame(c); err != nil {
					t.Fatal(err)
				}
				rest = one[7:]
				time.Sleep(4 * time.Second)
			}
		}, 17 * time.Second},
		{"takes no replies", func(_ *testing.T, c net.Conn) { _, _ = c.Write(one) }, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := dns.New(dns.Options{Self: "nobody", Log: slog.New(slog.DiscardHandler)})
				if err := s.Apply(world()); err != nil {
					t.Fatal(err)
				}
				client, server := net.Pipe()
				defer func() { _ = client.Close() }()
				start := time.Now()
				_, wait := s.Serve(server)
				var talking sync.WaitGroup
				talking.Go(func() { tc.client(t, client) })
				wait()
				if got := time.Since(start); got != tc.want {
					t.Errorf("ended after %v, want %v", got, tc.want)
				}
				talking.Wait()
			})
		})
	}
}

// TestEndBounded proves that a connection that neither reads nor writes holds
// nothing up longer than the grace.
func TestEndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := dns.New(dns.Options{Self: "nobody", Log: slog.New(slog.DiscardHandler)})
		if err := s.Apply(world()); err != nil {
			t.Fatal(err)
		}
		msg, _ := query("host.example.com.", mdns.TypeA).Pack()
		client, server := net.Pipe()
		defer func() { _ = client.Close() }()
		end, wait := s.Serve(server)
		if _, err := client.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is writing its reply
		start := time.Now()
		end(time.Second)
		wait()
		if got := time.Since(start); got != time.Second {
			t.Errorf("ended after %v", got)
		}
	})
}
