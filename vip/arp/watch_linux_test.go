package arp_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"

	"portico/internal/testkit/netns"
)

// heard is one answer: when, and of which node.
type heard struct {
	at   time.Time
	node string
}

// watcher asks for the addresses all the time and notes every answer.
type watcher struct {
	t     *testing.T
	nodes map[string]string // a MAC, to the name of its node

	mu  sync.Mutex
	log map[string][]heard // by how it was asked: arp, ndp, tcp
}

const (
	askEvery  = 5 * time.Millisecond
	dialEvery = 50 * time.Millisecond
	dialFor   = 300 * time.Millisecond
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

func newWatcher(t *testing.T, s *netns.Space, nodes map[string]string) *watcher {
	t.Helper()
	w := &watcher{t: t, nodes: nodes, log: map[string][]heard{}}
	var arp, ndp *packet.Conn
	var mac net.HardwareAddr
	var err error
	s.Run(func() {
		var i *net.Interface
		if i, err = net.InterfaceByName("br0"); err != nil {
			return
		}
		mac = i.HardwareAddr
		if arp, err = packet.Listen(i, packet.Raw, etherARP, nil); err == nil {
			ndp, err = packet.Listen(i, packet.Raw, etherIPv6, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() { w.listen(arp, "arp", ownerByARP) })
	busy.Go(func() { w.listen(ndp, "ndp", ownerByNDP) })
	busy.Go(func() { w.ask(arp, arpRequest(mac), stop) })
	busy.Go(func() { w.ask(ndp, solicitation(mac), stop) })
	busy.Go(func() { w.connect(s, stop) })
	t.Cleanup(func() {
		close(stop)
		_, _ = arp.Close(), ndp.Close()
		busy.Wait()
	})
	return w
}

// ask sends a question all the time.
func (w *watcher) ask(c *packet.Conn, frame []byte, stop chan struct{}) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			_, _ = c.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
		}
	}
}

// listen notes every answer until the socket is closed.
func (w *watcher) listen(c *packet.Conn, how string, owner func([]byte) net.HardwareAddr) {
	b := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if mac := owner(b[:n]); mac != nil {
			w.note(how, w.nodes[mac.String()])
		}
	}
}

// connect lets clients ask who serves.
func (w *watcher) connect(s *netns.Space, stop chan struct{}) {
	tick := time.NewTicker(dialEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		var name []byte
		s.Run(func() {
			c, err := net.DialTimeout("tcp", vip4+":80", dialFor)
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(dialFor))
			name, _ = io.ReadAll(c)
			_ = c.Close()
		})
		if len(name) > 0 {
			w.note("tcp", string(name))
		}
	}
}

func (w *watcher) note(how, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log[how] = append(w.log[how], heard{time.Now(), node})
}

// last is who answered last; empty when nobody did.
func (w *watcher) last(how string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.log[how]); n > 0 {
		return w.log[how][n-1].node
	}
	return ""
}

// quiet watches on for a while.
func (w *watcher) quiet(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}

// overlapMin is less than any node keeps an address: when another answers sooner,
// both had it at once.
const overlapMin = 500 * time.Millisecond

// judge fails the test where two nodes answered at once, and where an address moved
// more or less often than it should have.
func (w *watcher) judge(wanted map[string]int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, how := range []string{"arp", "ndp", "tcp"} {
		list := w.log[how]
		if len(list) < 50 {
			w.t.Errorf("%s: only %d answers", how, len(list))
		}
		for _, within := range overlaps(list) {
			w.t.Errorf("%s: two nodes answer within %v", how, within)
		}
		moved := moves(list)
		w.t.Logf("%s: %d answers, the owner changed %d times", how, len(list), moved)
		if want, ok := wanted[how]; ok && moved != want {
			w.t.Errorf("%s: the owner changed %d times, want %d", how, moved, want)
		}
	}
}

// moves counts how often the answers came from another node than before.
func moves(list []heard) (n int) {
	for i := 1; i < len(list); i++ {
		if list[i].node != list[i-1].node {
			n++
		}
	}
	return n
}

// overlaps lists how long nodes answered until another did, where that is so short
// that both must have had the address.
func overlaps(list []heard) (short []time.Duration) {
	for i, begun := 1, 0; i < len(list); i++ {
		if list[i].node == list[i-1].node {
			continue
		}
		if d := list[i].at.Sub(list[begun].at); d < overlapMin {
			short = append(short, d)
		}
		begun = i
	}
	return short
}

func arpRequest(mac net.HardwareAddr) []byte {
	b := append(net.HardwareAddr{255, 255, 255, 255, 255, 255}, mac...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	b = append(append(b, mac...), netip.MustParseAddr("10.77.0.9").AsSlice()...)
	return append(append(b, make([]byte, 6)...), netip.MustParseAddr(vip4).AsSlice()...)
}

// ownerByARP is who an ARP reply says has the IPv4 address.
func ownerByARP(b []byte) net.HardwareAddr {
	if len(b) < 42 || b[21] != 2 || netip.AddrFrom4([4]byte(b[28:32])) != netip.MustParseAddr(vip4) {
		return nil
	}
	return b[22:28]
}

// solicitation asks for the IPv6 address (RFC 4861, section 4.3).
func solicitation(mac net.HardwareAddr) []byte {
	from, target := netip.MustParseAddr("2001:db8:77::9"), netip.MustParseAddr(vip6)
	to := netip.MustParseAddr("ff02::1:ff00:100")
	body := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, target.AsSlice()...)
	body = append(append(body, 1, 1), mac...)
	sum := uint32(len(body)) + 58
	for _, part := range [][]byte{from.AsSlice(), to.AsSlice(), body} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(body[2:], ^uint16(sum))
	b := append(net.HardwareAddr{0x33, 0x33, 0xff, 0, 1, 0}, mac...)
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(body)), 58, 255)
	return append(append(append(b, from.AsSlice()...), to.AsSlice()...), body...)
}

// ownerByNDP is who a neighbor advertisement says has the IPv6 address.
func ownerByNDP(b []byte) net.HardwareAddr {
	const body = 14 + 40
	if len(b) < body+24 || b[20] != 58 || b[body] != 136 || netip.AddrFrom16([16]byte(b[body+8:body+24])) != netip.MustParseAddr(vip6) {
		return nil
	}
	return b[6:12]
}

// TestWatcher proves that the watcher would see two owners: it is shown both at
// once.
func TestWatcher(t *testing.T) {
	now := time.Unix(1000, 0)
	list := []heard{{now, "a"}, {now.Add(time.Second), "b"}, {now.Add(1100 * time.Millisecond), "a"}}
	if got := fmt.Sprint(overlaps(list)); got != "[100ms]" {
		t.Errorf("overlaps of a, b and 100 ms later a again = %s", got)
	}
}
