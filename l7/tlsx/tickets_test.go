package tlsx_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portico/l7/tlsx"
	"portico/spec"
)

// secret is a ticket key of n bytes.
func secret(fill byte, n int) spec.Secret { return spec.Secret{Value: bytes.Repeat([]byte{fill}, n)} }

// resumed reports whether a client that has a session of one server takes it up
// at another.
func resumed(t *testing.T, at *tls.Config, client *tls.Config) bool {
	t.Helper()
	got := shake(t, at, client)
	if got.clientErr != nil {
		t.Fatal(got.clientErr)
	}
	return got.server.DidResume
}

// TestTickets proves that nodes which share keys resume each other's sessions, in
// every length that is in use and across a change of keys, and others do not.
func TestTickets(t *testing.T) {
	certificate := issue(t, "a", false, "a.test")
	node := func(keys ...spec.Secret) *tls.Config {
		c := config(t, nil, certificate)
		var tickets tlsx.Tickets
		tickets.Use(keys, []*tls.Config{c})
		return c
	}
	tests := []struct {
		name       string
		here, then []spec.Secret
		want       bool
	}{
		{"32 bytes", []spec.Secret{secret(1, 32)}, []spec.Secret{secret(1, 32)}, true},
		{"48 bytes", []spec.Secret{secret(1, 48)}, []spec.Secret{secret(1, 48)}, true},
		{"64 bytes", []spec.Secret{secret(1, 64)}, []spec.Secret{secret(1, 64)}, true},
		{"80 bytes", []spec.Secret{secret(1, 80)}, []spec.Secret{secret(1, 80)}, true},
		{"a new key before it", []spec.Secret{secret(1, 48)}, []spec.Secret{secret(2, 48), secret(1, 48)}, true},
		{"a node that is ahead", []spec.Secret{secret(2, 48), secret(1, 48)}, []spec.Secret{secret(1, 48), secret(2, 48)}, true},
		{"another key", []spec.Secret{secret(1, 48)}, []spec.Secret{secret(2, 48)}, false},
		{"more of the same", []spec.Secret{secret(1, 48)}, []spec.Secret{secret(1, 80)}, false},
		{"the key is gone", []spec.Secret{secret(1, 48), secret(2, 48)}, []spec.Secret{secret(2, 48)}, false},
		{"keys of their own", nil, nil, false},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, TLS %x", tt.name, version), func(t *testing.T) {
				client := &tls.Config{ServerName: "a.test", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
				if resumed(t, node(tt.here...), client) {
					t.Fatal("a first connection resumes")
				}
				if got := resumed(t, node(tt.then...), client); got != tt.want {
					t.Errorf("resumed %v, want %v", got, tt.want)
				}
			})
		}
	}
}

// TestTicketsSwap proves that a new spec takes no session away: neither where keys
// are handed in, nor where they are the process's own.
func TestTicketsSwap(t *testing.T) {
	certificate := issue(t, "a", false, "a.test")
	for _, keys := range [][]spec.Secret{nil, {secret(1, 80)}} {
		var tickets tlsx.Tickets
		client := &tls.Config{ServerName: "a.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for i := range 3 {
			c := config(t, nil, certificate)
			tickets.Use(keys, []*tls.Config{c})
			if got := resumed(t, c, client); got != (i > 0) {
				t.Errorf("spec %d with %d keys: resumed %v", i, len(keys), got)
			}
		}
	}
}

// TestOwnTicketsChange proves that keys of our own making change every day by
// themselves, and that the sessions of the days before are still good.
func TestOwnTicketsChange(t *testing.T) {
	certificate := issue(t, "a", false, "a.test")
	synctest.Test(t, func(t *testing.T) {
		var tickets tlsx.Tickets
		server, problems := tlsx.Greet(tlsx.Options{Set: parse(t, certificate), Tickets: &tickets})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		tickets.Use(nil, []*tls.Config{server})
		first := &oneSession{}
		inMemory(t, server, first)
		for day := range 5 {
			inMemory(t, server, &oneSession{}) // a new client, whose handshake is whole
			again := *first
			if got, want := inMemory(t, server, &again), day < 3; got != want {
				t.Errorf("day %d: resumed %v, want %v", day, got, want)
			}
			time.Sleep(24*time.Hour + time.Second)
		}
	})
}

// inMemory handshakes without a socket, keeps the session and reports whether one
// was resumed.
func inMemory(t *testing.T, server *tls.Config, kept tls.ClientSessionCache) bool {
	t.Helper()
	c, s := ends()
	done := make(chan error, 1)
	go func() { done <- tls.Server(s, server).Handshake() }()
	client := tls.Client(c, &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, ClientSessionCache: kept})
	if err := errors.Join(client.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	c.loose = true
	_, _ = client.Read(make([]byte, 1)) // takes the ticket
	return client.ConnectionState().DidResume
}

// TestCheckTickets proves which keys will do, in the forms that tools write them in, and
// what is said of those that will not.
func TestCheckTickets(t *testing.T) {
	const length = "; use one key, of 32, 48, 64 or 80 random ones, or these in hex or base64, such as the output of: openssl rand 80"
	text := func(s string) spec.Secret { return spec.Secret{Value: []byte(s)} }
	base64 := func(n int) string {
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xef, 0x01}, 27)[:n])
	}
	tests := []struct {
		name string
		keys []spec.Secret
		want string // "" for no problem
	}{
		{"raw", []spec.Secret{secret(1, 32), secret(2, 48), secret(3, 64), secret(4, 80)}, ""},
		{"raw, which ended like a line", []spec.Secret{secret(1, 31), secret(2, 46)}, ""},
		{"hex", []spec.Secret{text(strings.Repeat("0a", 32)), text(strings.Repeat("0B", 48)), text(strings.Repeat("0c", 64)), text(strings.Repeat("0d", 80))}, ""},
		{"base64", []spec.Secret{text(base64(32)), text(base64(48)), text(base64(64)), text(base64(80))}, ""},
		{"base64 in lines", []spec.Secret{text(base64(80)[:64] + "\n" + base64(80)[64:])}, ""},
		{"base64 for URLs", []spec.Secret{text(strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(base64(80)))}, ""},
		{"short", []spec.Secret{secret(1, 16)}, "secrets.tickets[0]: the key has 16 bytes" + length},
		{"empty", []spec.Secret{secret(1, 0)}, "secrets.tickets[0]: the key has 0 bytes" + length},
		{"cut short", []spec.Secret{secret(1, 48), secret(2, 40)}, "secrets.tickets[1]: the key has 40 bytes" + length},
		{"long", []spec.Secret{secret(1, 96)}, "secrets.tickets[0]: the key has 96 bytes" + length},
		{"three keys in a file", []spec.Secret{text(strings.Repeat(base64(80)+"\n", 3))}, "secrets.tickets[0]: the key has 327 bytes" + length},
		{"a password", []spec.Secret{text("correct horse battery staple, or another")}, "secrets.tickets[0]: the key has 40 bytes" + length},
		{"twice", []spec.Secret{secret(1, 48), secret(2, 32), secret(2, 32)}, "secrets.tickets[2]: the key is that of secrets.tickets[1]; use another, or leave it out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, p := range tlsx.CheckTickets(tt.keys) {
				got += p.String()
			}
			if got != tt.want {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
		})
	}
}
