package relay

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/l4"
	"portico/l4/sni"
	"portico/spec"
)

// head is what a flow reads of its client before a target is chosen, and what it
// learned from that.
type head struct {
	proxy, hello bool // still to be read
	start, end   int  // of the bytes in up.buf that are not read yet
	meant        netip.AddrPort
	tlvs         []byte
}

// headMax leaves room for a PROXY header before what was read.
const headMax = bufferSize - proxy.MaxSize

const _ = uint(headMax - proxy.MaxSize - sni.Max) // a PROXY header and a ClientHello fit

// hears reports whether something must be read before a target is chosen.
func (f *flow) hears() bool {
	l := f.loop.relay.state.Load().table.Listener(l4.TCP, f.tuple.VIP)
	if l == nil || !l.TLS && len(l.ProxyFrom) == 0 {
		return false
	}
	h := head{hello: l.TLS}
	h.proxy = slices.ContainsFunc(l.ProxyFrom, func(p netip.Prefix) bool { return p.Contains(f.tuple.Client.Addr()) })
	if !h.proxy && !h.hello {
		return false
	}
	f.head = &h
	if l.Head > 0 {
		f.loop.wait(f, f.loop.now.Add(l.Head))
	}
	return true
}

// readHead reads what there is, and connects once that is enough.
func (f *flow) readHead() {
	h, p := f.head, &f.up
	if p.buf == nil {
		p.buf = buffers.Get().(*[bufferSize]byte)
	}
	for f.client.in && f.phase == heading {
		n, errno := netx.RecvFD(f.client.fd, p.buf[h.end:headMax])
		switch {
		case errno == unix.EAGAIN:
			f.client.in = false
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			f.giveUp(ClientReset)
			return
		case n == 0 && h.end == headMax:
			f.giveUp(BadHead)
			return
		case n == 0:
			f.giveUp(ClientClosed)
			return
		}
		h.end += n
		f.client.in = h.end == headMax || f.client.ended
		f.parseHead()
	}
}

// parseHead goes on as far as the bytes tell.
func (f *flow) parseHead() {
	h, p := f.head, &f.up
	if h.proxy {
		said, n, err := proxy.ParseAny(p.buf[h.start:h.end])
		if err != nil {
			f.giveUp(BadHead)
			return
		}
		if n == 0 {
			return
		}
		if !said.Local && said.Source.IsValid() {
			f.tuple.Client, h.meant = said.Source, said.Destination
			h.tlvs = slices.Clone(said.TLVs)
		}
		h.start, h.proxy = h.start+n, false
	}
	if h.hello {
		name, done, err := sni.Name(p.buf[h.start:h.end])
		if err != nil {
			f.giveUp(BadHead)
			return
		}
		if !done {
			return
		}
		f.tuple.Server, h.hello = name, false
	}
	if p.held = p.buf[h.start:h.end]; len(p.held) == 0 {
		p.drop() // or what is read next would be taken for a part of it
	}
	f.loop.wait(f, time.Time{})
	f.phase, f.began = connecting, f.loop.now
	f.connect()
}

// sendHead begins with the PROXY header, and with it what the client has sent by now.
// It reports whether the flow goes on.
func (f *flow) sendHead() bool {
	p, buf := &f.up, f.loop.buf[:bufferSize]
	says := proxy.Header{Source: f.tuple.Client, Destination: f.tuple.VIP}
	var got []byte
	if f.head != nil {
		got = f.head.tlvs
		if f.head.meant.IsValid() {
			says.Destination = f.head.meant
		}
	}
	b := buf[:0]
	says.TLVs = proxy.Passed(got, f.tuple.Server, proxy.PassedMax)
	if f.choice.Share.Identify {
		says.TLVs, f.id = proxy.Identified(says.TLVs, newID(), proxy.PassedMax)
	}
	switch {
	case f.choice.Share.Proxy == spec.ProxyV1:
		b = proxy.AppendV1(b, says)
	case len(says.TLVs) > 0:
		b = proxy.AppendChecked(b, says)
	default:
		b = proxy.Append(b, says)
	}
	p.own = len(b)
	if len(p.held) > 0 {
		b = append(b, p.held...)
	} else if n, errno := netx.RecvFD(p.from.fd, buf[len(b):]); errno == 0 && n > 0 {
		b = buf[:len(b)+n]
	} // an end or an error is found again
	p.drop()
	p.send(b, false)
	return f.phase == carrying
}

// alertUnknownName is the fatal alert unrecognized_name (RFC 6066, section 3).
var alertUnknownName = [...]byte{21, 3, 1, 0, 2, 2, 112} //nolint:gochecknoglobals // constant

// refuseName tells a TLS client that nobody here has the name.
func (f *flow) refuseName() {
	f.note(NoServer)
	alert := alertUnknownName
	_, _ = netx.SendFD(f.client.fd, alert[:])
	f.close()
}
