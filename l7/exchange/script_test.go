package exchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

// A script is a story of one connection, one step a line. In what is sent, "|"
// is CRLF, "~" is LF and "*n(x)" is n times x.
//
//	client> text    the client sends; also: client eof, client reset
//	target> text    the target sends; also: target eof, target reset
//	dial ok         the dial going on works; also: dial pooled, dial fails, dial lacks a file
//	client stuck    the client takes nothing more, until: client takes
//	target stuck    the same for the target; target deaf: a send to it fails
//	wait 2s         time passes
//	wake            the driver says Resume; ready: what is waited for has come
//	drain           a drain is asked for; leave: to end with the next answer;
//	                abort: the driver closes
//
// What the client or target got since the last look:
//
//	client< text    (a chunked body reads [data]trailers|)
//	target< text
//
// And what else happened, in order: dial 10.0.0.1, dial fresh 10.0.0.1,
// target pooled, target closed, target shut, client shut, client closed,
// client reset, end <why> <status> (with in=, out=, retries= where not 0).
// Each must be named with "- what", and all must be by the end.
type player struct {
	t     *testing.T
	m     exchange.Machine
	h     *handler
	split func(n int) int // how much of n bytes is offered first; 0 for all

	now    time.Time
	in     [2][]byte // sent by a side, not taken yet
	eof    [2]bool
	stuck  [2]bool
	deaf   bool
	unsent [2]bool // a Send is unanswered
	dials  int
	open   [2]bool
	got    [2][]byte
	want   [2]string
	events []string
	live   [][]byte // input that Sends may still point into

	stream [2]bool // that side is one
	said   [2]said // by a stream

	dates []time.Duration // of answers, since the epoch
	dated int             // to where what the client got was searched for them
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newPlayer(t *testing.T, split func(int) int) *player {
	t.Helper()
	p := &player{t: t, h: newHandler(), split: split, now: epoch}
	p.h.ended = func(r *outcome.Result) { p.event(describe(r)) }
	p.open[exchange.ClientSide] = true
	p.m.Start(p.options(), p.now)
	return p
}

func (p *player) options() exchange.Options {
	return exchange.Options{
		Client:   &message.Client{Peer: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("192.0.2.2:80")},
		Handlers: p.h,
		Memories: p.h,
	}
}

func describe(r *outcome.Result) string {
	s := fmt.Sprintf("end %s %d", r.Why, r.Status)
	if r.BytesIn != 0 {
		s += fmt.Sprintf(" in=%d", r.BytesIn)
	}
	if r.BytesOut != 0 {
		s += fmt.Sprintf(" out=%d", r.BytesOut)
	}
	if r.Retries != 0 {
		s += fmt.Sprintf(" retries=%d", r.Retries)
	}
	return s
}

// play runs a script whole, byte by byte, and split once at every place.
func play(t *testing.T, script string) {
	t.Helper()
	playSides(t, script, [2]bool{})
}

// playSides plays a script where sides may be streams.
func playSides(t *testing.T, script string, stream [2]bool) {
	t.Helper()
	longest := 0
	for line := range strings.Lines(script) {
		if _, text, ok := strings.Cut(line, "> "); ok {
			longest = max(longest, len(expand(strings.TrimSpace(text))))
		}
	}
	playSplit(t, script, "whole", stream, func(int) int { return 0 })
	playSplit(t, script, "byte by byte", stream, func(int) int { return 1 })
	step := max(1, longest/600)
	for at := 1; at < longest && !t.Failed(); at += step {
		playSplit(t, script, fmt.Sprintf("split at %d", at), stream, func(n int) int {
			if n > at {
				return at
			}
			return 0
		})
	}
}

func playSplit(t *testing.T, script, how string, stream [2]bool, split func(int) int) {
	t.Helper()
	p := newPlayer(t, split)
	p.stream = stream
	p.act()
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.step(line); err != nil {
			t.Fatalf("%s: at %q: %v", how, line, err)
		}
	}
	if len(p.events) > 0 {
		t.Fatalf("%s: at the end: also %q", how, p.events)
	}
	for s := range p.want {
		if err := p.look(exchange.Side(s)); err != nil {
			t.Fatalf("%s: at the end: %v", how, err)
		}
	}
	if p.h.memories != 0 && (p.m.Done() || p.m.Idle()) {
		t.Fatalf("%s: at the end: %d memories are not given back", how, p.h.memories)
	}
}

func (p *player) step(line string) error {
	cmd, text, _ := strings.Cut(line, " ")
	switch cmd {
	case "client>":
		p.give(exchange.ClientSide, expand(text))
	case "target>":
		p.give(exchange.TargetSide, expand(text))
	case "client<":
		p.want[exchange.ClientSide] += expand(text)
		return p.look(exchange.ClientSide)
	case "target<":
		p.want[exchange.TargetSide] += expand(text)
		return p.look(exchange.TargetSide)
	case "-":
		return p.expect(text)
	case "dial":
		return p.dialed(text)
	case "client":
		p.happen(exchange.ClientSide, text)
	case "target":
		p.happen(exchange.TargetSide, text)
	case "wait":
		return p.wait(text)
	case "ready":
		p.h.ready = true
	case "wake":
		p.m.Resume(p.now)
	case "leave":
		p.m.Leave()
	case "drain":
		p.m.Drain(p.now)
	case "abort":
		p.m.Abort(p.now)
	default:
		return errors.New("unknown step")
	}
	p.act()
	return nil
}

// expand reads the short forms of a script.
func expand(s string) string {
	s = strings.ReplaceAll(s, "|", "\r\n")
	s = strings.ReplaceAll(s, "~", "\n")
	for {
		i := strings.Index(s, "*")
		if i < 0 {
			return s
		}
		open := strings.IndexByte(s[i:], '(')
		end := strings.IndexByte(s[i:], ')')
		if open < 0 || end < 0 {
			return s
		}
		n, err := strconv.Atoi(s[i+1 : i+open])
		if err != nil {
			return s
		}
		s = s[:i] + strings.Repeat(s[i+open+1:i+end], n) + s[i+end+1:]
	}
}

// give sends bytes in pieces; the machine sees one after the other.
func (p *player) give(s exchange.Side, text string) {
	if p.stream[s] {
		var ends bool
		if text, ends = p.message(s, text); ends {
			defer p.ends(s)
		}
	}
	if n := p.split(len(text)); n > 0 {
		for len(text) > n {
			p.in[s] = append(p.in[s], text[:n]...)
			p.act()
			text = text[n:]
			if p.split(len(text)) == 0 {
				break
			}
		}
	}
	p.in[s] = append(p.in[s], text...)
	p.act()
}

func (p *player) happen(s exchange.Side, what string) {
	switch what {
	case "eof":
		p.eof[s] = true
	case "reset":
		p.in[s] = nil
		if p.open[s] {
			p.m.Broke(s, errors.New("reset by script"), p.now)
		}
	case "stuck":
		p.stuck[s] = true
	case "deaf":
		p.deaf = true
	case "refuses":
		p.m.Refused(errors.New("refused by script"), p.now)
	case "takes":
		p.stuck[s] = false
		if p.unsent[s] {
			p.sent(s)
		}
	default:
		p.t.Fatalf("unknown step %q", what)
	}
}

func (p *player) dialed(what string) error {
	if p.dials == 0 {
		return errors.New("no dial is going on")
	}
	p.dials--
	switch what {
	case "ok", "pooled":
		p.open[exchange.TargetSide], p.eof[exchange.TargetSide], p.deaf = true, false, false
		p.in[exchange.TargetSide] = nil
		p.said[exchange.TargetSide] = said{}
		if p.stream[exchange.TargetSide] {
			p.m.ConnectedStream(what == "pooled", p.now)
		} else {
			p.m.Connected(what == "pooled", p.now)
		}
	case "fails":
		p.m.ConnectFailed(errors.New("refused by script"), p.now)
	case "lacks a file":
		p.m.ConnectFailed(os.NewSyscallError("socket", syscall.EMFILE), p.now)
	}
	p.act()
	return nil
}

// wait lets time pass from deadline to deadline.
func (p *player) wait(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	end := p.now.Add(d)
	for range 1000 {
		at := p.m.Deadline()
		if at.IsZero() || at.After(end) {
			p.now = end
			return nil
		}
		if at.After(p.now) {
			p.now = at
		}
		p.m.Tick(p.now)
		p.act()
	}
	return errors.New("time does not pass: the deadline stays")
}

// act does what the machine asks for and offers it what it will take.
func (p *player) act() {
	for range 1 << 20 {
		var a exchange.Action
		if p.m.Next(&a) {
			p.do(&a)
			continue
		}
		if !p.offer(exchange.TargetSide) && !p.offer(exchange.ClientSide) {
			return
		}
	}
	p.t.Fatal("the machine never comes to rest")
}

func (p *player) do(a *exchange.Action) {
	switch a.Kind {
	case exchange.Dial:
		if p.dials++; p.dials > 1 {
			p.t.Fatal("two dials at once")
		}
		if p.open[exchange.TargetSide] {
			p.t.Fatal("a dial while a target is connected")
		}
		how := "dial "
		if a.Fresh {
			how = "dial fresh "
		}
		p.event(how + a.To.Addr().String())
	case exchange.Send:
		p.send(a)
	case exchange.Shut:
		p.mustBeOpen(a.Side, "shut")
		p.event(a.Side.String() + " shut")
	case exchange.Pool:
		p.mustBeOpen(exchange.TargetSide, "pool")
		p.open[exchange.TargetSide] = false
		p.event("target pooled")
	case exchange.Close:
		p.closeSide(a)
	}
}

func (p *player) closeSide(a *exchange.Action) {
	switch {
	case a.Side == exchange.TargetSide && !p.open[a.Side]:
		p.event("dial given up")
		return
	case a.Reset:
		p.event(a.Side.String() + " reset")
	default:
		p.event(a.Side.String() + " closed")
	}
	p.mustBeOpen(a.Side, "close")
	p.open[a.Side] = false
	if p.unsent[a.Side] {
		p.unsent[a.Side] = false
		p.m.SendFailed(a.Side, 0, errors.New("closed"), p.now)
	}
}

func (p *player) mustBeOpen(s exchange.Side, what string) {
	if !p.open[s] {
		p.t.Fatalf("%s of the %s's side, which is not open", what, s)
	}
}

func (p *player) send(a *exchange.Action) {
	p.mustBeOpen(a.Side, "send")
	if p.unsent[a.Side] {
		p.t.Fatalf("a second send to the %s", a.Side)
	}
	if p.deaf && a.Side == exchange.TargetSide {
		p.m.SendFailed(a.Side, 0, errors.New("deaf"), p.now)
		return
	}
	p.head(a)
	for _, seg := range a.Segs {
		if len(seg) == 0 {
			p.t.Fatal("an empty segment")
		}
		p.got[a.Side] = append(p.got[a.Side], seg...)
	}
	p.undate()
	p.last(a)
	p.unsent[a.Side] = true
	if !p.stuck[a.Side] {
		p.sent(a.Side)
	}
}

// sent answers a Send, and spoils the input once nothing may point into it.
func (p *player) sent(s exchange.Side) {
	p.unsent[s] = false
	if p.unsent == [2]bool{} {
		for _, b := range p.live {
			for i := range b {
				b[i] = '#'
			}
		}
		p.live = p.live[:0]
	}
	p.m.Sent(s, p.now)
}

// offer gives the machine bytes, or the end of them, if it would take them.
func (p *player) offer(s exchange.Side) bool {
	if !p.open[s] {
		return false
	}
	if p.said[s].head != "" {
		return p.offerHead(s)
	}
	if len(p.in[s]) > 0 {
		if !p.m.Reads(s) {
			return false
		}
		b := bytes.Clone(p.in[s])
		n := p.m.Bytes(s, b, p.now)
		if n <= 0 || n > len(b) {
			p.t.Fatalf("the machine reads the %s and took %d of %d bytes", s, n, len(b))
		}
		p.live = append(p.live, b[:n])
		p.in[s] = p.in[s][n:]
		return true
	}
	if p.said[s].last {
		return p.offerLast(s)
	}
	if p.eof[s] {
		p.eof[s] = false
		p.m.Ended(s, p.now)
		return true
	}
	return false
}

func (p *player) event(what string) { p.events = append(p.events, what) }

func (p *player) expect(what string) error {
	if i := slices.Index(p.events, what); i >= 0 {
		p.events = slices.Delete(p.events, i, i+1)
		return nil
	}
	return fmt.Errorf("it did not happen; what did: %q", p.events)
}

func (p *player) look(s exchange.Side) error {
	if got := unchunk(string(p.got[s])); got != p.want[s] {
		return fmt.Errorf("the %s got\n%q, want\n%q", s, got, p.want[s])
	}
	return nil
}

// unchunk writes every chunked body in s as [data]trailers.
func unchunk(s string) string {
	const mark = "Transfer-Encoding: chunked\r\n"
	var b strings.Builder
	for {
		i := strings.Index(s, mark)
		if i < 0 {
			break
		}
		j := strings.Index(s[i:], "\r\n\r\n")
		if j < 0 {
			break
		}
		b.WriteString(s[:i+j+4])
		s = s[i+j+4:]
		b.WriteByte('[')
		for {
			line, rest, ok := strings.Cut(s, "\r\n")
			n, err := strconv.ParseInt(line, 16, 32)
			if !ok || err != nil || len(rest) < int(n)+2 {
				break
			}
			if n == 0 {
				b.WriteByte(']')
				s = rest
				break
			}
			b.WriteString(rest[:n])
			s = rest[n+2:]
		}
	}
	return b.String() + s
}
