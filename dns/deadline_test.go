package dns_test

import (
	"encoding/binary"
	"errors"
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
	ask := func(c net.Conn) error {
		if _, err := c.Write(one); err != nil {
			return err
		}
		_, err := frame(c)
		return err
	}
	for _, tc := range []struct {
		name   string
		client func(c net.Conn) error
		want   time.Duration // until the server ends the connection
	}{
		{"says nothing", func(net.Conn) error { return nil }, 10 * time.Second},
		{"idles after a query", func(c net.Conn) error {
			time.Sleep(9 * time.Second)
			return ask(c)
		}, 19 * time.Second},
		{"sends half a query", func(c net.Conn) error {
			_, err := c.Write(one[:9])
			return err
		}, 5 * time.Second},
		{"sends a query byte by byte", func(c net.Conn) error {
			for i := range 8 {
				if _, err := c.Write(one[i : i+1]); err != nil {
					return nil // the server has ended it
				}
				time.Sleep(time.Second)
			}
			return errors.New("eight seconds for one query")
		}, 5 * time.Second},
		{"asks, each time with a part of the next", func(c net.Conn) error {
			rest := one
			for range 4 {
				if _, err := c.Write(append(append([]byte(nil), rest...), one[:7]...)); err != nil {
					return err
				}
				if _, err := frame(c); err != nil {
					return err
				}
				rest = one[7:]
				time.Sleep(4 * time.Second)
			}
			return nil
		}, 17 * time.Second},
		{"takes no replies", func(c net.Conn) error {
			_, err := c.Write(one)
			return err
		}, 5 * time.Second},
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
				talking.Go(func() {
					if err := tc.client(client); err != nil {
						t.Errorf("client: %v", err)
					}
				})
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
