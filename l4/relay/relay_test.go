package relay_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/l4/relay"
	"portico/spec"
)

// Both directions of a flow reach the other side, over IPv4 and IPv6 and from
// one to the other.
func TestEcho(t *testing.T) {
	for _, tt := range []struct{ name, vip, target string }{
		{"v4", "127.0.1.10", "127.0.2.1"},
		{"v6", "::1", "::1"},
		{"v6 to v4", "::1", "127.0.2.1"},
		{"v4 to v6", "127.0.1.10", "::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vip := free(t, tt.vip)
			b := start(t, tcpSpec(vip, server(t, tt.target, echo)))
			c := dial(t, vip)
			say(t, c, "hello")
			hear(t, c, "hello")
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			wantEnd(t, c)
			b.ends(relay.ClientClosed)
			for to, want := range map[string]float64{"target": 5, "client": 5} {
				if got := b.metric("portico_l4_bytes_total", to); got != want {
					t.Errorf("%v bytes to the %s counted, want %v", got, to, want)
				}
			}
		})
	}
}

// A client that ends its direction still gets the whole answer, and a target
// that does still gets the whole request.
func TestHalfClose(t *testing.T) {
	t.Run("client first", func(t *testing.T) {
		vip := free(t, "127.0.1.10")
		b := start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
			asked, _ := io.ReadAll(c)
			for range 3 { // long after the client's end
				time.Sleep(20 * time.Millisecond)
				_, _ = c.Write(asked)
			}
		})))
		c := dial(t, vip)
		say(t, c, "more")
		_ = c.CloseWrite()
		hear(t, c, "moremoremore")
		wantEnd(t, c)
		b.ends(relay.ClientClosed)
	})
	t.Run("target first", func(t *testing.T) {
		vip, got := free(t, "127.0.1.10"), make(chan string, 1)
		b := start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
			_ = c.CloseWrite()
			all, _ := io.ReadAll(c)
			got <- string(all)
		})))
		c := dial(t, vip)
		wantEnd(t, c)
		for range 3 {
			time.Sleep(20 * time.Millisecond)
			say(t, c, "more")
		}
		_ = c.Close()
		if all := <-got; all != "moremoremore" {
			t.Errorf("the target got %q after its end, want %q", all, "moremoremore")
		}
		b.ends(relay.TargetClosed)
	})
	t.Run("client before the target is connected", func(t *testing.T) {
		vip := free(t, "127.0.1.10")
		target, listen := deaf(t, "127.0.2.1")
		b := start(t, tcpSpec(vip, target))
		c := dial(t, vip)
		say(t, c, "early")
		_ = c.CloseWrite()
		time.Sleep(20 * time.Millisecond)
		late, err := listen().AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		echo(late)
		_ = late.Close()
		hear(t, c, "early")
		wantEnd(t, c)
		b.ends(relay.ClientClosed)
	})
}

// Bulk data arrives whole and in order, both ways at once, whatever the sizes of
// the writes; that is what goes through splice.
func TestLargeTransfer(t *testing.T) {
	const size = 32 << 20
	pattern := make([]byte, 1<<20+17)
	for i := range pattern {
		pattern[i] = byte(i * i >> 3)
	}
	send := func(w io.Writer) [32]byte {
		h := sha256.New()
		for sent := 0; sent < size; {
			n := min(len(pattern), size-sent)
			sent += n
			_, _ = h.Write(pattern[:n])
			if _, err := w.Write(pattern[:n]); err != nil {
				t.Errorf("sending: %v", err)
				break
			}
		}
		return [32]byte(h.Sum(nil))
	}
	receive := func(r io.Reader) [32]byte {
		h := sha256.New()
		if n, err := io.Copy(h, r); n != size || err != nil {
			t.Errorf("received %d bytes, %v, want %d", n, err, size)
		}
		return [32]byte(h.Sum(nil))
	}
	atTarget := make(chan [32]byte, 1)
	vip := free(t, "127.0.1.10")
	b := start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			send(c)
			_ = c.CloseWrite()
		}()
		atTarget <- receive(c)
		<-sent
	})))
	c := dial(t, vip)
	sent := make(chan [32]byte, 1)
	go func() {
		sum := send(c)
		_ = c.CloseWrite()
		sent <- sum
	}()
	down := receive(c)
	up := <-sent
	if got := <-atTarget; got != up {
		t.Errorf("the target got other bytes than were sent")
	}
	if up != down {
		t.Errorf("the client got other bytes than were sent")
	}
	eventually(t, "the flow ends", func() bool { return b.metric("portico_l4_flows_active") == 0 })
	for _, to := range []string{"target", "client"} {
		if got := b.metric("portico_l4_bytes_total", to); got != size {
			t.Errorf("%v bytes to the %s counted, want %d", got, to, size)
		}
	}
}

// A reset of one side becomes a reset of the other, after what was sent before it.
func TestReset(t *testing.T) {
	t.Run("by the target", func(t *testing.T) {
		vip, heard := free(t, "127.0.1.10"), make(chan struct{})
		b := start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, 5))
			_, _ = io.WriteString(c, "bye")
			<-heard
			netx.Reset(c)
		})))
		c := dial(t, vip)
		say(t, c, "hello")
		hear(t, c, "bye")
		close(heard)
		wantReset(t, c)
		b.ends(relay.TargetReset)
	})
	t.Run("by the client", func(t *testing.T) {
		vip, heard, ended := free(t, "127.0.1.10"), make(chan struct{}), make(chan error, 1)
		b := start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, 5))
			close(heard)
			_, err := io.Copy(io.Discard, struct{ io.Reader }{c})
			ended <- err
		})))
		c := dial(t, vip)
		say(t, c, "hello")
		<-heard
		netx.Reset(c)
		if err := <-ended; !netx.IsReset(err) {
			t.Errorf("the target's connection ends with %v, want a reset", err)
		}
		b.ends(relay.ClientReset)
	})
	// A target that answers early and closes with the request unread resets: the
	// answer must not be lost, and the end must not look clean.
	t.Run("early answer to an upload", func(t *testing.T) {
		answer := bytes.Repeat([]byte("no"), 100<<10)
		vip := free(t, "127.0.1.10")
		start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, 1<<10))
			_, _ = c.Write(answer)
		})))
		c := dial(t, vip)
		writing := make(chan error, 1)
		go func() {
			for {
				if _, err := c.Write(make([]byte, 64<<10)); err != nil {
					writing <- err
					return
				}
			}
		}()
		got, err := io.ReadAll(struct{ io.Reader }{c})
		if !bytes.HasPrefix(answer, got) || len(got) == 0 {
			t.Errorf("the client got %d bytes, want those of the answer", len(got))
		}
		// The kernel tells only one of the two.
		if werr := <-writing; !netx.IsReset(err) && !netx.IsReset(werr) {
			t.Errorf("the client got %d of %d bytes, then reads %v and writes %v, want a reset", len(got), len(answer), err, werr)
		}
	})
}

// An l7 node is told who the client is and which VIP it meant, in the first
// bytes and before anything the client said; every l7 node alike.
func TestProxyHeader(t *testing.T) {
	for _, ip := range []string{"127.0.1.10", "::1"} {
		vip, target := free(t, ip), free(t, "127.0.2.1")
		want := tcpSpec(vip)
		want.Sites[0].Nodes = append(want.Sites[0].Nodes, spec.Node{Name: "east-l7", Address: target.Addr(), Roles: []spec.Role{spec.RoleL7}})
		want.Listeners[0].Protocol, want.Listeners[0].TargetGroups, want.TargetGroups = spec.ProtocolHTTP, nil, nil
		l, err := netx.Listen(t.Context(), netip.AddrPortFrom(target.Addr(), vip.Port()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		start(t, want)
		for _, early := range []string{"", "GET / HTTP/1.1\r\n"} {
			c := dial(t, vip)
			say(t, c, early)
			node, err := l.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			_ = node.SetDeadline(time.Now().Add(hang))
			header := proxy.Append(nil, proxy.Header{Source: c.LocalAddr().(*net.TCPAddr).AddrPort(), Destination: vip})
			hear(t, node, string(header)+early)
			say(t, c, "later")
			hear(t, node, "later")
			_, _ = node.Close(), c.Close()
		}
	}
}

// Targets of a tcp listener are told of the client only where the group says so.
func TestProxyHeaderWhereAsked(t *testing.T) {
	vip, got := free(t, "127.0.1.10"), make(chan string, 1)
	want := tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		got <- string(all)
	}))
	b := start(t, want)
	for _, asked := range []bool{false, true} {
		next := *want
		next.TargetGroups = []spec.TargetGroup{want.TargetGroups[0]}
		if asked {
			next.TargetGroups[0].ProxyProtocol = spec.ProxyV2
		}
		b.apply(&next)
		c := dial(t, vip)
		say(t, c, "hello")
		_ = c.CloseWrite()
		all := <-got
		if !asked {
			if all != "hello" {
				t.Errorf("the target got %q, want what the client said", all)
			}
			continue
		}
		h, n, err := proxy.Parse([]byte(all))
		if err != nil || h.Source != c.LocalAddr().(*net.TCPAddr).AddrPort() || h.Destination != vip || all[n:] != "hello" {
			t.Errorf("the target got %q: %+v, %v, want the client, the VIP and what was said", all, h, err)
		}
	}
}

// Two relays send the same flows to the same targets, so it does not matter
// which one a router chooses.
func TestRelaysAgree(t *testing.T) {
	var targets []netip.AddrPort
	for i := range 5 {
		targets = append(targets, server(t, "127.0.2.1", named(fmt.Sprint(i))))
	}
	source, dests := netip.MustParseAddr("127.0.3.1"), map[string][]string{}
	vip := free(t, "127.0.1.10")
	for _, relayed := range []string{"one", "other"} {
		b := start(t, tcpSpec(vip, targets...))
		for port := range uint16(20) {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 20000+port))}
			c, err := d.DialContext(t.Context(), "tcp", vip.String())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(hang))
			name := make([]byte, 1)
			if _, err := io.ReadFull(c, name); err != nil {
				t.Fatal(err)
			}
			dests[relayed] = append(dests[relayed], string(name))
			netx.Reset(c) // leaves no TIME_WAIT, so the port can be had again
		}
		b.stop()
		<-b.stopped
	}
	used := map[string]bool{}
	for i, one := range dests["one"] {
		used[one] = true
		if other := dests["other"][i]; other != one {
			t.Errorf("flow %d goes to target %s by one relay and %s by the other", i, one, other)
		}
	}
	if len(used) < 3 {
		t.Errorf("20 flows use %d of 5 targets", len(used))
	}
}

// Status and metrics say what is served.
func TestStatus(t *testing.T) {
	vip := free(t, "127.0.1.10")
	b := start(t, tcpSpec(vip, server(t, "127.0.2.1", echo)))
	c := dial(t, vip)
	say(t, c, "hello")
	hear(t, c, "hello")
	s := b.relay.Status()
	if len(s) != 1 || s[0].Name != "db" || s[0].Address != vip || s[0].Tier != spec.RoleL4 || s[0].Active != 1 || s[0].Total != 1 || s[0].Failed != 0 {
		t.Errorf("Status = %+v, want listener db on %v with one flow", s, vip)
	}
	if g := b.targets.Group("db").Status(); g.Targets[0].Active != 1 || g.Targets[0].Total != 1 {
		t.Errorf("target status = %+v, want one flow", g.Targets[0])
	}
	_ = c.Close()
	b.ends(relay.ClientClosed)
	eventually(t, "the target has no flow", func() bool { return b.targets.Group("db").Status().Targets[0].Active == 0 })
}
