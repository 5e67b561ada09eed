// Package testkit holds the few things that the tests of several packages need:
// waiting for the world, free addresses, a certificate authority, an origin that
// says who it is and fails on demand, and a check for leaks.
//
// It is for tests alone; nothing else imports it. What a helper opens it closes
// at the end of the test.
package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/clock"
)

// pollEvery is short beside everything a test waits for.
const pollEvery = 5 * time.Millisecond

// Poll calls ok until it returns nil, and fails the test with ok's last error
// when that takes longer than the bound. The bound is against hanging: choose it
// ten times what is expected.
func Poll(tb testing.TB, bound time.Duration, ok func() error) {
	tb.Helper()
	end := clock.Now().Add(bound)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		if clock.Now().After(end) {
			tb.Fatalf("after %v: %v", bound, err)
		}
		<-tick.C
	}
}

// Free returns an address on a loopback IP, such as 127.0.0.1, whose port was
// free for TCP and UDP a moment ago. Another process may take it before the test
// does, so listening on port 0 is better wherever the port can be asked for later.
func Free(tb testing.TB, ip string) netip.AddrPort {
	tb.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			tb.Fatalf("no free port: %v", err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return addr
		}
	}
	tb.Fatalf("no port of %s is free for TCP and UDP", ip)
	return netip.AddrPort{}
}

// Network draws a /24 of loopback addresses, such as 127.20.30, that nobody else who asks
// has until it is released, in this process or in another: who has it listens at its last
// address. Where no such address can be listened on, it is drawn and no more.
func Network() (network string, release func()) {
	for range 100 {
		network = fmt.Sprintf("127.%d.%d", 16+rand.IntN(230), rand.IntN(256))
		if l, err := net.Listen("tcp", network+".254:20254"); err == nil {
			return network, func() { _ = l.Close() }
		}
	}
	return network, func() {}
}

// leakBound is how long files that are on their way out may take.
const leakBound = 2 * time.Second

// NoLeaks fails the test when, at its end, more goroutines run or more files are
// open than now. Call it first, so that it looks after every other cleanup; not
// in tests that run in parallel.
func NoLeaks(tb testing.TB) {
	tb.Helper()
	running, open := goleak.IgnoreCurrent(), openFiles()
	tb.Cleanup(func() {
		if err := goleak.Find(running); err != nil {
			tb.Error(err)
		}
		end := clock.Now().Add(leakBound)
		tick := time.NewTicker(pollEvery)
		defer tick.Stop()
		for now := openFiles(); now > open; now = openFiles() {
			if clock.Now().After(end) {
				tb.Errorf("%d files are open, %d before the test", now, open)
				return
			}
			<-tick.C
		}
	})
}

// openFiles counts the process's open files; 0 where the system does not say.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
