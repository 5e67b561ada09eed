package dns_test

import (
	"log/slog"
	"net"
	"testing"

	mdns "github.com/miekg/dns"

	"portico/dns"
)

// TestEmptyBounded proves that clients who go on asking do not keep a socket open
// that is to be closed.
func TestEmptyBounded(t *testing.T) {
	s := dns.New(dns.Options{Self: "nobody", Log: slog.New(slog.DiscardHandler)})
	if err := s.Apply(world()); err != nil {
		t.Fatal(err)
	}
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	client, err := net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	msg, err := query("host.example.com.", mdns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	const many = 5000 // batches after which the client gives up
	asked := 0
	ask := func() {
		if asked++; asked <= many {
			_, _ = client.Write(msg)
		}
	}
	ask()
	batches, err := s.EmptyAsked(server, ask)
	if err != nil || batches == 0 || batches >= many {
		t.Errorf("%d batches answered, %v", batches, err)
	}
}
