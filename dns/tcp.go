package dns

import (
	"container/list"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
)

// Bounds of TCP (RFC 7766).
const (
	tcpConnsMax   = 1000 // for one address; a new one ends the one that is idle longest
	tcpQueriesMax = 1000 // on one connection
	tcpQueryMax   = 4096 // bytes in one query
	tcpIdle       = 10 * time.Second
	tcpRead       = 5 * time.Second // from the first byte of a query to its last
	tcpWrite      = 5 * time.Second // for the replies to all that was read at once
	// tcpLinger is how long an idle connection is read on at the end, for queries
	// that have come and not been read.
	tcpLinger = 20 * time.Millisecond
	// tcpPending is when replies are sent before more queries are answered.
	tcpPending = 16 << 10
)

// conns are the TCP connections of one endpoint.
type conns struct {
	endpoint *endpoint

	mu     sync.Mutex
	open   *list.List // of *conn, the longest idle first
	ending bool
	until  time.Time   // when the grace is over; set by end
	cut    *time.Timer // resets what is left then; set by end
	all    sync.WaitGroup
}

// conn is one connection.
type conn struct {
	net.Conn
	in   *conns
	seat *list.Element
	from netip.Addr
	busy bool // a query was read in part; guarded by conns.mu
}

func newConns(e *endpoint) *conns { return &conns{endpoint: e, open: list.New()} }

// accept serves a connection in a goroutine of its own.
func (cs *conns) accept(c *net.TCPConn) {
	from, _ := c.RemoteAddr().(*net.TCPAddr)
	cs.take(c, from.AddrPort().Addr().Unmap())
}

func (cs *conns) take(c net.Conn, from netip.Addr) {
	k := &conn{Conn: c, in: cs, from: from}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.ending {
		netx.Reset(c)
		return
	}
	if cs.open.Len() >= tcpConnsMax {
		_ = cs.open.Front().Value.(*conn).Close() // its goroutine notices and leaves
		cs.open.Remove(cs.open.Front())
	}
	k.seat = cs.open.PushBack(k)
	cs.endpoint.counters.conns.Add(1)
	cs.all.Go(k.serve)
}

// leave takes a connection off the list.
func (cs *conns) leave(k *conn) {
	_ = k.Close()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open.Remove(k.seat) // does nothing when it was taken off before
	cs.endpoint.counters.conns.Add(-1)
}

// await notes that a connection waits for a query, or for the rest of one where
// it is inside, and sets the time that may take. moved says that others were
// answered since. It is false when the connection should end.
func (cs *conns) await(k *conn, inside, moved bool) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if inside && k.busy && !moved {
		return true // the clock of this query runs
	}
	k.busy = inside
	if cs.ending {
		return inside && k.SetReadDeadline(cs.until) == nil
	}
	limit := tcpIdle
	if inside {
		limit = tcpRead
	}
	cs.open.MoveToBack(k.seat)
	return k.SetReadDeadline(clock.Now().Add(limit)) == nil
}

// end ends every connection: the idle ones at once, the others when they have their
// answers. What is left at the end of the grace is reset.
func (cs *conns) end(grace time.Duration) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.ending, cs.until = true, clock.Now().Add(grace)
	idle := clock.Now().Add(min(grace, tcpLinger))
	for e := cs.open.Front(); e != nil; e = e.Next() {
		if k := e.Value.(*conn); !k.busy {
			_ = k.SetReadDeadline(idle)
		}
	}
	cs.cut = time.AfterFunc(grace, cs.reset)
}

// reset resets every connection.
func (cs *conns) reset() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for e := cs.open.Front(); e != nil; e = e.Next() {
		netx.Reset(e.Value.(*conn).Conn)
	}
}

// wait waits for the connections to end.
func (cs *conns) wait() {
	cs.all.Wait()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.cut.Stop()
}

// serve reads queries and writes replies, those to all that came at once in one
// write, in the order of the queries.
func (k *conn) serve() {
	defer k.in.leave(k)
	r := &responder{table: &k.in.endpoint.server.table, stats: &k.in.endpoint.counters.stats[overTCP][0]}
	in := make([]byte, 0, 2+tcpQueryMax)
	var out []byte
	used := 0
	for answered := 0; answered < tcpQueriesMax; {
		if !k.in.await(k, len(in) > 0, used > 0) {
			return
		}
		n, err := k.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		used = 0
		for answered < tcpQueriesMax {
			msg, ok := frame(in[used:])
			if !ok {
				break
			}
			used += 2 + len(msg)
			answered++
			out = k.reply(r, out, msg)
			if len(out) >= tcpPending && !k.flush(&out) {
				return
			}
		}
		if !k.flush(&out) || err != nil || used == 0 && len(in) == cap(in) {
			return // the end, or a query that is too long
		}
		in = in[:copy(in, in[used:])]
	}
}

// frame returns the message at the start of what was read, once it is whole.
func frame(in []byte) ([]byte, bool) {
	if len(in) < 2 {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(in))
	if len(in) < 2+n {
		return nil, false
	}
	return in[2 : 2+n], true
}

// reply appends the framed reply to a message.
func (k *conn) reply(r *responder, out, msg []byte) []byte {
	start := len(out)
	out = append(out, 0, 0)
	out = r.tcp(out, msg, k.from)
	n := len(out) - start - 2
	if n == 0 {
		return out[:start]
	}
	binary.BigEndian.PutUint16(out[start:], uint16(n))
	return out
}

// flush writes the replies that are due.
func (k *conn) flush(out *[]byte) bool {
	if len(*out) == 0 {
		return true
	}
	if k.SetWriteDeadline(clock.Now().Add(tcpWrite)) != nil {
		return false
	}
	_, err := k.Write(*out)
	*out = (*out)[:0]
	return err == nil
}
