package dns

import (
	"fmt"

	mdns "github.com/miekg/dns"

	"portico/dns/wire"
)

// sections are the records of an answer.
type sections struct {
	answer, authority, additional []mdns.RR
}

// pack packs an answer to queries for one name. Names in it point to the
// question where they can.
func pack(owner string, r wire.RCode, s sections) *wire.Tail {
	return packed(owner, r, s, true)
}

// packAnywhere packs an answer without compression, so that it stands behind any
// question.
func packAnywhere(r wire.RCode, s sections) *wire.Tail {
	return packed(".", r, s, false)
}

// packed panics on records that do not pack: Server.Check refuses a spec with
// names or texts that could not.
func packed(owner string, r wire.RCode, s sections, compress bool) *wire.Tail {
	msg := mdns.Msg{
		Compress: compress,
		Question: []mdns.Question{{Name: owner, Qtype: mdns.TypeA, Qclass: mdns.ClassINET}},
		Answer:   s.answer, Ns: s.authority,
	}
	skip := wire.HeaderLen + len(wire.Key(owner)) + 4
	need := packMsg(&msg)
	all := need
	if len(s.additional) > 0 {
		msg.Extra = s.additional
		all = packMsg(&msg)
	}
	return &wire.Tail{
		RCode: r, AA: true, Bytes: all[skip:], Need: len(need) - skip,
		Counts: [3]uint16{uint16(len(s.answer)), uint16(len(s.authority)), uint16(len(s.additional))},
	}
}

func packMsg(msg *mdns.Msg) []byte {
	b, err := msg.Pack()
	if err != nil {
		panic(fmt.Sprintf("dns: packing %v: %v; Check let it through", msg.Question, err))
	}
	return b
}

// referral makes a packed answer one that points to another zone: it has no
// authority, and its addresses must arrive (RFC 9471).
func referral(t *wire.Tail) *wire.Tail {
	t.AA, t.Need = false, len(t.Bytes)
	return t
}
