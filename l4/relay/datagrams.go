package relay

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/poll"
	"portico/l4"
	"portico/target"
)

// datagrams is a flow of udp: what one client sends to one address of a VIP, and the
// answers. It has a socket of its own to its target, so that answers of others never
// reach the client.
type datagrams struct {
	life
	on    *receiver
	fd    int // to the target; -1 without one
	token poll.Token
	heard bool // the target has answered
}

// tuple is what a flow of datagrams is known by, on one socket.
type tuple struct{ client, vip netip.AddrPort }

// readsMax is how often a socket is read before others have their turn.
const readsMax = 16

// connect chooses a target and opens the socket to it. It reports whether there is
// one; the flow ended where there is none.
func (d *datagrams) connect() bool {
	s := d.loop.relay.state.Load()
	d.tuple.Draw, d.tuple.Now = draw(), d.loop.now
	c := l4.Decide(d.tuple, s.table, d.loop.relay.o.Groups)
	if c.Target != nil {
		c.Begin(d.tuple)
	}
	d.choice, d.used, d.chosen = c, s, c.Target
	if c.Target == nil {
		switch {
		case c.Why == l4.Full:
			d.over(Limit)
		case len(d.tuple.Tried) > 0:
			d.over(Refused)
		default:
			d.over(NoTarget)
		}
		return false
	}
	fd, err := d.loop.relay.o.Dialer.ConnectUDP(c.Target.Address())
	if err != nil {
		d.loop.relay.o.Log.Debug("flow not connected", "listener", d.tally.name, "client", d.tuple.Client, "vip", d.tuple.VIP, "error", err)
		d.tally.connectFailures.Add(1)
		d.over(ConnectFailed)
		return false
	}
	d.fd = fd
	if d.token, err = d.loop.watch(fd, d); err != nil {
		d.over(Limit)
		return false
	}
	d.place()
	return true
}

// send passes a datagram on. What the kernel does not take is lost, as on any link.
func (d *datagrams) send(data []byte) {
	for {
		n, errno := netx.SendFD(d.fd, data)
		if errno == 0 {
			d.moved[0] += int64(n)
		}
		// An error may be of a datagram before: this one was not sent.
		if !nobodyThere(errno) || !d.refused() {
			return
		}
	}
}

// event is that the target answered, or that nobody is there.
func (d *datagrams) event(poll.Ready) {
	buf := d.loop.packets().Spare[:]
	for range readsMax {
		n, errno := netx.RecvFD(d.fd, buf)
		switch {
		case nobodyThere(errno):
			d.refused()
			return
		case errno != 0:
			return
		}
		d.answered()
		var from netip.Addr
		if d.bind.address.Addr().IsUnspecified() {
			from = d.tuple.VIP.Addr()
		}
		if netx.SendTo(d.on.fd, buf[:n], d.tuple.Client, from) == 0 {
			d.moved[1] += int64(n)
		}
	}
	d.loop.post(func() {
		if d.fd >= 0 {
			d.event(poll.In)
		}
	})
}

// answered is that the target is there: the first answer is all that a flow tells of it.
func (d *datagrams) answered() {
	if !d.heard {
		d.heard = true
		d.chosen.Report(target.Outcome{Latency: d.loop.now.Sub(d.tuple.Now), Goes: true})
	}
}

// nobodyThere reports whether an error of a socket is what an ICMP message said.
func nobodyThere(errno syscall.Errno) bool {
	return errno == unix.ECONNREFUSED || errno == unix.EHOSTUNREACH || errno == unix.ENETUNREACH
}

// refused is an ICMP error: nobody is there. A flow that was never answered goes to
// another target; it reports whether there is one.
func (d *datagrams) refused() bool {
	d.tally.connectFailures.Add(1)
	d.chosen.Report(target.Outcome{Failure: "unreachable"})
	if d.moved[1] > 0 || len(d.tuple.Tried)+1 == triesMax {
		d.over(Refused)
		return false
	}
	d.tuple.Tried = append(d.tuple.Tried, d.chosen)
	d.chosen.End()
	d.chosen, d.heard = nil, false
	d.disconnect()
	return d.connect()
}

func (d *datagrams) disconnect() {
	if d.fd >= 0 {
		d.loop.unwatch(d.fd, d.token)
		netx.CloseFD(d.fd)
		d.fd, d.token = -1, 0
	}
}

// cut ends the flow; there is nothing to tell the client with.
func (d *datagrams) cut(why Reason) { d.over(why) }

// over takes the flow off the books.
func (d *datagrams) over(why Reason) {
	d.note(why)
	d.disconnect()
	d.loop.remove(d)
	d.end()
	d.on.forget(d)
	d.loop.relay.left()
}

// age lets time pass for the flow.
func (d *datagrams) age(by time.Duration) {
	if why := d.pass(by); why != open {
		d.cut(why)
	}
}
