package dns

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"

	"portico/dns/policy"
	"portico/dns/wire"
)

// responder answers messages one after the other, without allocating. Each
// socket has its own.
type responder struct {
	table *atomic.Pointer[table]
	stats *stats
	query wire.Query
}

// Fixed replies.
var (
	refused = &wire.Tail{RCode: wire.Refused}
	badVers = &wire.Tail{RCode: wire.BadVers}
)

// udp appends the reply to a datagram; nothing means that none is due.
func (r *responder) udp(dst, msg []byte, from netip.Addr) []byte {
	return r.reply(dst, msg, from, 0)
}

// tcp appends the reply to a message that came over TCP.
func (r *responder) tcp(dst, msg []byte, from netip.Addr) []byte {
	return r.reply(dst, msg, from, wire.SizeMaxTCP)
}

// reply appends the reply to a message, at most limit bytes or, where that is
// zero, what the client takes in a datagram.
func (r *responder) reply(dst, msg []byte, from netip.Addr, limit int) []byte {
	r.stats.queries.Add(1)
	q := &r.query
	tail := badVers
	switch q.Parse(msg) {
	case wire.Drop:
		r.stats.dropped.Add(1)
		return dst
	case wire.Broken:
		r.stats.count(wire.FormErr)
		return q.AppendError(dst, wire.FormErr)
	case wire.NoSuch:
		r.stats.count(wire.NotImp)
		return q.AppendError(dst, wire.NotImp)
	case wire.Good:
		tail = r.table.Load().answer(q, from)
	case wire.BadEDNS:
	}
	if limit == 0 {
		limit = q.Limit()
	}
	dst, cut := q.AppendReply(dst, tail, limit)
	r.stats.count(tail.RCode)
	if cut {
		r.stats.truncated.Add(1)
	}
	return dst
}

// answer returns the packed answer to a query.
func (t *table) answer(q *wire.Query, from netip.Addr) *wire.Tail {
	if q.Class != wire.ClassIN || q.Type == wire.TypeAXFR || q.Type == wire.TypeIXFR {
		return refused
	}
	e, above := t.find(q.Key())
	switch {
	case e != nil:
		return e.answer(q.Type).choose(from)
	case above != nil:
		return above
	}
	return refused
}

// choose returns what is answered to this client, this time.
func (a *answer) choose(from netip.Addr) *wire.Tail {
	if a.decision == nil {
		return a.fixed
	}
	out := a.decision.now.Load()
	i := out.chooser.Choose(policy.Query{Draw: rand.Uint64(), Client: prefix(from)})
	if i < 0 {
		return out.packed[a.index][0]
	}
	for _, c := range out.counts[i] {
		c.Add(1)
	}
	return out.packed[a.index][i]
}
