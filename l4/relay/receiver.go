package relay

import (
	"net/netip"

	"portico/internal/netx"
	"portico/internal/poll"
	"portico/l4"
)

// receiver is the socket of one loop that takes datagrams of clients, and sends them
// the answers.
type receiver struct {
	bind    *bind
	loop    *loop
	fd      int
	token   poll.Token
	flows   map[tuple]*datagrams
	closing bool // takes no new flow, and closes with the last of its bind
}

// packets is the memory that datagrams of a loop pass through.
type packets struct {
	netx.Batch
	Spare [1 << 16]byte // for those of targets, while a batch is looked at
}

// packets returns it; most loops never need one.
func (l *loop) packets() *packets {
	if l.batch == nil {
		l.batch = new(packets)
	}
	return l.batch
}

// begin starts taking datagrams.
func (r *receiver) begin() {
	if r.fd < 0 || r.token != 0 {
		return
	}
	var err error
	if r.token, err = r.loop.watch(r.fd, r); err != nil {
		r.bind.relay.o.Log.Error("listener is not served", "address", r.bind.address, "error", err)
	}
}

// close takes no new flows: those there are go on until they end.
func (r *receiver) close() { r.closing = true }

// forget takes a flow out, and closes the sockets of all loops after the last.
func (r *receiver) forget(d *datagrams) {
	delete(r.flows, tuple{d.tuple.Client, d.tuple.VIP})
	if !r.closing || r.bind.active.Load() > 0 {
		return
	}
	for _, s := range r.bind.on {
		other := s.(*receiver)
		other.loop.post(other.shut)
	}
}

// shut closes the socket of one that is closing once no loop has a flow. Until then all
// are open: the kernel spreads clients over those that are, and with one less it would
// send the datagrams of some to a loop that does not know them.
func (r *receiver) shut() {
	if r.closing && r.fd >= 0 && r.bind.active.Load() == 0 {
		r.loop.unwatch(r.fd, r.token)
		netx.CloseFD(r.fd)
		r.fd, r.token = -1, 0
	}
}

// event is that datagrams came.
func (r *receiver) event(poll.Ready) { r.more() }

// more takes datagrams, in batches.
func (r *receiver) more() {
	b := r.loop.packets()
	for range readsMax {
		if r.fd < 0 {
			return
		}
		n, errno := b.Recv(r.fd)
		if errno != 0 || n <= 0 {
			return // nothing is there
		}
		for i := range n {
			data, from, to := b.At(i)
			r.take(data, from, to)
		}
	}
	r.loop.post(r.more)
}

// take passes a datagram on, by its flow or a new one. Where there may be none, it is
// lost.
func (r *receiver) take(data []byte, from netip.AddrPort, to netip.Addr) {
	vip := r.bind.address
	if to.IsValid() {
		vip = netip.AddrPortFrom(to, vip.Port())
	}
	d := r.flows[tuple{from, vip}]
	if d == nil {
		if d = r.open(from, vip, data); d == nil {
			return
		}
	}
	d.send(data)
}

// open begins a flow with its first datagram, or returns nil.
func (r *receiver) open(client, vip netip.AddrPort, first []byte) *datagrams {
	if r.closing {
		return nil
	}
	t := r.bind.tally.Load()
	d := &datagrams{on: r, fd: -1, life: life{
		loop: r.loop, bind: r.bind, tally: t,
		tuple: l4.Flow{Proto: l4.UDP, Client: client, VIP: vip},
	}}
	d.start()
	if d.note(r.bind.refuses(t, r.loop.now)); d.why != open {
		d.end()
		return nil
	}
	r.loop.add(d)
	r.flows[tuple{client, vip}] = d
	d.tuple.Datagram = first
	ok := d.connect()
	d.tuple.Datagram = nil // its memory is the loop's
	if !ok {
		return nil
	}
	return d
}
