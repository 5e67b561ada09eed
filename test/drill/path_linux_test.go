package drill

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"portico/internal/testkit/netns"
	"portico/spec/status"
)

// large does not fit what a connection has under way before anything is acknowledged.
const large = 512 << 10

// stallFor is how long nothing may arrive for a transfer to count as stalled. What is
// recovered takes Linux a few timeouts, some seconds in all.
const stallFor = 5 * time.Second

// TestPathMTU runs nodes behind a router whose link to the other side takes smaller
// packets than all others, and whose messages about that are lost. Large answers to
// clients there, and large requests to targets there, arrive where the spec or the
// kernel does something about it. The control, where nobody does, stalls.
func TestPathMTU(t *testing.T) {
	d := deploy(t, "path.yaml")
	edge, far := narrowPath(t)
	d.command = edge.Command
	serveLarge(t, edge, "10.93.0.1:7000")
	serveLarge(t, far, "10.92.0.1:7000")
	d.nodes("l7", "l4")
	for _, name := range []string{"l7", "l4"} {
		d.await(name, "serve", func(n status.Node) bool { return n.State == "serving" })
	}
	arms := []struct {
		port    string
		from    *netns.Space
		body    int // of the request; the answer is large where it has none
		arrives bool
	}{
		{"8000", far, 0, false},
		{"8001", far, 0, true},
		{"8002", far, 0, true},
		{"8003", edge, large, false},
		{"8004", edge, large, true},
	}
	t.Run("as the spec says", func(t *testing.T) {
		for _, vip := range []string{"10.93.0.1", "10.93.0.2"} {
			for _, arm := range arms {
				t.Run(vip+":"+arm.port, func(t *testing.T) {
					t.Parallel()
					bound := pollFor
					if !arm.arrives {
						bound = stallFor
					}
					if err := transfer(arm.from, vip+":"+arm.port, arm.body, bound); (err == nil) != arm.arrives {
						t.Errorf("a transfer came to %v, want that it arrives: %v", err, arm.arrives)
					}
				})
			}
		}
	})
	edge.Sysctl("net/ipv4/tcp_mtu_probing", "1")
	for _, at := range []struct {
		address string
		from    *netns.Space
		body    int
	}{{"10.93.0.1:8000", far, 0}, {"10.93.0.2:8000", far, 0}, {"10.93.0.1:8003", edge, large}, {"10.93.0.2:8003", edge, large}} {
		t.Run("the kernel probes/"+at.address, func(t *testing.T) {
			t.Parallel()
			if err := transfer(at.from, at.address, at.body, pollFor); err != nil {
				t.Errorf("a transfer came to %v, want that it arrives", err)
			}
		})
	}
}

// narrowPath is the machine of Portico and one behind a router that loses large
// packets on its way there.
func narrowPath(t *testing.T) (edge, far *netns.Space) {
	t.Helper()
	n := netns.New(t)
	edge, router, far := n.Add("edge"), n.Add("router"), n.Add("far")
	n.Veth(edge, "wan", []string{"10.91.0.1/24", "10.93.0.1/32", "10.93.0.2/32"}, router, "edge", []string{"10.91.0.2/24"})
	n.Veth(router, "far", []string{"10.92.0.2/24"}, far, "wan", []string{"10.92.0.1/24"})
	edge.IP("route add default via 10.91.0.2")
	far.IP("route add default via 10.92.0.2")
	router.IP("route add 10.93.0.0/24 via 10.91.0.1")
	router.Sysctl("net/ipv4/ip_forward", "1")
	router.IP("link set dev far mtu 1300") // its other end takes, and asks for, more
	router.IP("rule add iif lo ipproto icmp blackhole")
	return edge, far
}

// serveLarge answers requests: those without a body with a large one, and others with
// none, once theirs is here. Nothing large goes the other way, where the far machine
// would have to find out as well.
func serveLarge(t *testing.T, in *netns.Space, address string) {
	t.Helper()
	var l net.Listener
	var err error
	in.Run(func() { l, err = net.Listen("tcp", address) }) //nolint:noctx // at once or never
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: pollFor, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil && n == 0 {
			_, _ = w.Write(make([]byte, large))
		}
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

// transfer sends a body of so many bytes from a machine, and reads the answer.
func transfer(from *netns.Space, address string, body int, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		from.Run(func() { c, err = (&net.Dialer{}).DialContext(ctx, network, addr) })
		return c, err
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", bytes.NewReader(make([]byte, body)))
	if err != nil {
		return err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if want := int64(large - body); err == nil && (resp.StatusCode != http.StatusOK || n != want) {
		err = fmt.Errorf("%s with %d bytes, want 200 with %d", resp.Status, n, want)
	}
	return err
}
