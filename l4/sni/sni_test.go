package sni_test

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"

	"portico/l4/sni"
)

// hello is what crypto/tls begins with when it asks for a name.
func hello(tb testing.TB, name string) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer func() { _ = server.Close() }()
	go func() {
		c := tls.Client(client, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // nobody answers
		_ = c.HandshakeContext(context.Background())
	}()
	b := make([]byte, sni.Max)
	n, err := server.Read(b)
	if err != nil {
		tb.Fatal(err)
	}
	_ = client.Close()
	return b[:n]
}

// cut puts the bytes of one record into records of at most size.
func cut(record []byte, size int) []byte {
	var out []byte
	for body := record[5:]; len(body) > 0; {
		n := min(size, len(body))
		out = append(out, record[0], record[1], record[2], byte(n>>8), byte(n))
		out = append(out, body[:n]...)
		body = body[n:]
	}
	return out
}

// The name is found however the bytes are cut into records, and not before they are
// whole, at whatever byte they are cut.
func TestName(t *testing.T) {
	for _, want := range []string{"db.example.com", "DB.Example.com", ""} {
		whole := hello(t, want)
		for _, size := range []int{1, 7, 100, 1 << 14} {
			b := cut(whole, size)
			if len(b) > sni.Max {
				continue
			}
			for n := range b {
				if name, done, err := sni.Name(b[:n]); name != "" || done || err != nil {
					t.Fatalf("Name of %d bytes of %d = %q, %v, %v, want that more are needed", n, len(b), name, done, err)
				}
			}
			b = append(b, "early data"...)
			if name, done, err := sni.Name(b); name != strings.ToLower(want) || !done || err != nil {
				t.Errorf("Name in records of %d = %q, %v, %v, want %q", size, name, done, err, want)
			}
		}
	}
}

// What can be no ClientHello is refused as soon as it shows.
func TestNameRefuses(t *testing.T) {
	good := hello(t, "db.example.com")
	at := strings.Index(string(good), "db.example.com")
	spoiled := func(at int, with byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = with
		return b
	}
	for name, b := range map[string][]byte{
		"HTTP":             []byte("G"),
		"SSL 2":            {0x80, 0x2e, 1, 0, 2},
		"an alert":         {21, 3, 1, 0, 2, 2, 40},
		"an empty record":  {22, 3, 1, 0, 0},
		"a ServerHello":    {22, 3, 1, 0, 4, 2, 0, 0, 40},
		"a huge hello":     {22, 3, 1, 0x40, 0, 1, 0xff, 0, 0},
		"a byte in a name": spoiled(at, 0),
		"a dot at its end": spoiled(at+len("db.example.com")-1, '.'),
		"another kind":     spoiled(at-3, 1),
		"a longer name":    spoiled(at-1, 0xff),
	} {
		if got, done, err := sni.Name(b); err == nil {
			t.Errorf("%s: Name = %q, %v, want an error", name, got, done)
		}
	}
}

// No bytes make it panic, ask for more than Max, or change its mind.
func FuzzName(f *testing.F) {
	f.Add(hello(f, "db.example.com"))
	f.Add(hello(f, ""))
	f.Add(cut(hello(f, "x.example.com"), 50))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		name, done, err := sni.Name(b)
		if err != nil && (done || name != "") || !done && name != "" {
			t.Fatalf("Name = %q, %v, %v", name, done, err)
		}
		if !done && err == nil && len(b) >= sni.Max {
			t.Fatalf("more than %d bytes are asked for", sni.Max)
		}
		if done {
			if again, ok, err := sni.Name(append(slices.Clip(b), 'x')); again != name || !ok || err != nil {
				t.Fatalf("with a byte more: %q, %v, %v, want %q", again, ok, err, name)
			}
		}
	})
}
