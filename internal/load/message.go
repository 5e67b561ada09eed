package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	udpSizeMax  = 1232   // what we say we take over UDP, and what we read
	addressesOf = 64     // of an answer; more are left out
	ttlMax      = 86_400 // seconds; a stub that trusts more never asks again
)

// reply is what a DNS server said.
type reply struct {
	addresses []netip.Addr
	ttl       time.Duration // the shortest of the chain
	truncated bool
	rcode     dnsmessage.RCode
}

var errNotOurs = errors.New("not an answer to the question")

// query packs a question with EDNS.
func query(id uint16, name dnsmessage.Name, kind dnsmessage.Type) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	var edns dnsmessage.ResourceHeader
	err := errors.Join(
		b.StartQuestions(),
		b.Question(dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET}),
		b.StartAdditionals(),
		edns.SetEDNS0(udpSizeMax, dnsmessage.RCodeSuccess, false),
		b.OPTResource(edns, dnsmessage.OPTResource{}),
	)
	if err != nil {
		return nil, err
	}
	return b.Finish()
}

// parseReply reads a reply to our question. What does not answer it is
// errNotOurs: somebody guesses, or a server is late. The addresses are those at
// the end of whatever chain of aliases the server followed for us.
func parseReply(message []byte, id uint16, name dnsmessage.Name, kind dnsmessage.Type) (reply, error) {
	var p dnsmessage.Parser
	head, err := p.Start(message)
	if err != nil {
		return reply{}, fmt.Errorf("malformed reply: %w", err)
	}
	if head.ID != id || !head.Response {
		return reply{}, errNotOurs
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return reply{}, fmt.Errorf("malformed reply: %w", err)
	}
	if len(questions) != 1 || questions[0].Type != kind || questions[0].Class != dnsmessage.ClassINET ||
		!sameName(questions[0].Name, name) {
		return reply{}, errNotOurs
	}
	r := reply{truncated: head.Truncated, rcode: head.RCode}
	if r.truncated {
		return r, nil // what is left of the answer is not used
	}
	return r, r.read(&p, kind)
}

// read collects the addresses of the answer section.
func (r *reply) read(p *dnsmessage.Parser, kind dnsmessage.Type) error {
	ttl := uint32(ttlMax)
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			r.ttl = time.Duration(ttl) * time.Second
			return nil
		}
		if err != nil {
			return fmt.Errorf("malformed reply: %w", err)
		}
		var a netip.Addr
		switch {
		case h.Type == kind && kind == dnsmessage.TypeA:
			var rr dnsmessage.AResource
			rr, err = p.AResource()
			a = netip.AddrFrom4(rr.A)
		case h.Type == kind && kind == dnsmessage.TypeAAAA:
			var rr dnsmessage.AAAAResource
			rr, err = p.AAAAResource()
			a = netip.AddrFrom16(rr.AAAA)
		default:
			err = p.SkipAnswer()
		}
		if err != nil {
			return fmt.Errorf("malformed reply: %w", err)
		}
		if h.Type == kind || h.Type == dnsmessage.TypeCNAME {
			ttl = min(ttl, h.TTL)
		}
		if a.IsValid() && len(r.addresses) < addressesOf {
			r.addresses = append(r.addresses, a)
		}
	}
}

// sameName compares as DNS does: ASCII letters without their case (RFC 4343).
func sameName(a, b dnsmessage.Name) bool {
	if a.Length != b.Length {
		return false
	}
	for i := range int(a.Length) {
		if lower(a.Data[i]) != lower(b.Data[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
