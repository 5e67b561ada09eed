package desync

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/test/bed"
)

var peers = []struct {
	name   string
	front  string // Portico's listener that leads to it
	own    string // its own address
	origin string
	run    func(*bed.Bed, string) *bed.Process
}{
	{"nginx", "10:8002", "20:8000", "52:8000", func(b *bed.Bed, at string) *bed.Process {
		return b.NGINX(b.Write("testdata/nginx.conf"), at)
	}},
	{"haproxy", "10:8003", "21:8000", "53:8000", func(b *bed.Bed, at string) *bed.Process {
		return b.HAProxy(b.Write("testdata/haproxy.cfg"), at)
	}},
}

// TestPeersBehind proves that Portico, a peer behind it and the origin behind that
// see the same requests: what Portico forwards the peer does not take for more or
// fewer, so that every answer is that of its own request.
func TestPeersBehind(t *testing.T) {
	for _, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			t.Parallel()
			bed.Need(t, peer.name)
			b := bed.New(t)
			o := newOrigin(t, b.Addr(peer.origin))
			front := b.Addr(peer.front)
			behind := peer.run(b, b.Addr(peer.own))
			p := b.Portico(b.Write("testdata/portico.yaml"), front, "--admin", "off")
			for _, a := range corpus(t) {
				t.Run(a.name, func(t *testing.T) {
					p := o.watch(a, front, hang)
					p.peer = true
					a.judge(t, p)
				})
			}
			logged(t, p, peer.name, o.since(0))
			testkit.Poll(t, hang, func() error { return sameRequests(behind, o.since(0)) })
		})
	}
}

// sameRequests compares the requests that a peer says it had answered with those
// that the origin saw.
func sameRequests(p *bed.Process, all []*seen) error {
	var got, want []string
	for _, line := range p.Out.Lines() {
		if request, answered := strings.CutPrefix(line, "200 "); answered {
			got = append(got, request)
		}
	}
	for _, s := range all {
		want = append(want, s.method+" "+s.target)
	}
	if slices.Equal(got, want) {
		return nil
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Errorf("%s logged %d requests, the origin saw %d; the first that differs is number %d: %q, want %q",
		p.Name, len(got), len(want), i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
}

// verdict is what a proxy made of a case: for each request "forwarded" or the
// status of its refusal.
func (p played) verdict() string {
	var all []string
	for _, got := range p.answers {
		if strings.HasPrefix(string(got.body), "GET /canary ") {
			continue
		}
		if got.seen >= 0 {
			all = append(all, "forwarded")
		} else {
			all = append(all, strconv.Itoa(got.status))
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// verdict is what Portico makes of a case, as the corpus says.
func (a *attempt) verdict() string {
	var all []string
	for _, o := range a.want {
		switch {
		case o.nothing:
			all = append(all, "nothing")
		case o.status > 0:
			all = append(all, strconv.Itoa(o.status))
		default:
			all = append(all, "forwarded")
		}
	}
	return strings.Join(all, ", ")
}

// quiet is how long a peer may say nothing until the next case.
const quiet = 300 * time.Millisecond

// TestPeersBeside plays the corpus to the peers alone, and says where they decide
// otherwise than Portico, and where an origin could split what they forward. It
// proves nothing of Portico.
func TestPeersBeside(t *testing.T) {
	if testing.Short() {
		t.Skip("peers take their time; run without -short")
	}
	score := bed.Score{Suite: suite}
	for i, peer := range peers {
		cell := []*string{&score.NGINX, &score.HAProxy}[i]
		t.Run(peer.name, func(t *testing.T) {
			bed.Need(t, peer.name)
			b := bed.New(t)
			o := newOrigin(t, b.Addr(peer.origin))
			front := b.Addr(peer.own)
			peer.run(b, front)
			alike := 0
			for _, a := range corpus(t) {
				p := o.watch(a, front, quiet)
				got, want := p.verdict(), a.verdict()
				if got == want {
					alike++
					continue
				}
				t.Logf("%s %q: %s, Portico: %s", a.at, a.name, got, want)
				for _, s := range p.seen {
					if s.refused != nil {
						t.Logf("  the origin got %.200q: %v", s.raw, s.refused)
					}
				}
			}
			*cell = fmt.Sprintf("%d/%d", alike, len(corpus(t)))
		})
	}
	bed.Publish(t, score)
}
