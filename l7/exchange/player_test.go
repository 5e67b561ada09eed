package exchange_test

import (
	"fmt"
	"strings"

	"portico/l7/exchange"
	"portico/l7/http1"
	"portico/l7/message"
)

// said is what a stream said and the machine was not told. In a script a stream
// speaks HTTP/1.1 without chunks; "$" ends it, and its trailers may follow.
//
//	client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||hello$x-sum: 1|
//
// What it got reads the same, with Content-Length where the framing is Length, and
// "100|" or "200|" alone for a status line.
type said struct {
	head     string
	end      bool // with the head
	last     bool
	trailers string
}

// message notes the head in what a stream says, and returns what comes after it
// and whether that is the end.
func (p *player) message(s exchange.Side, text string) (body string, ends bool) {
	q := &p.said[s]
	text, q.trailers, ends = strings.Cut(text, "$")
	if s == exchange.ClientSide && !p.m.Done() && strings.Contains(text, " HTTP/1.1\r\n") {
		p.m.StartStream(p.options(), p.now)
	}
	if strings.HasPrefix(text, "HTTP/1.1 ") || strings.Contains(text, " HTTP/1.1\r\n") {
		end := strings.Index(text, "\r\n\r\n") + 4
		q.head, text = text[:end], text[end:]
		if text == "" && ends && q.trailers == "" {
			q.end, ends = true, false
		}
	}
	return text, ends
}

// ends lets a stream end after all it said.
func (p *player) ends(s exchange.Side) {
	p.said[s].last = true
	p.act()
}

// offerHead tells the machine of a stream's head.
func (p *player) offerHead(s exchange.Side) bool {
	q := &p.said[s]
	if s == exchange.TargetSide && !p.m.Reads(s) {
		return false
	}
	var scan http1.Scanner
	limits := http1.Limits{Head: 4096, Fields: 20}
	var err error
	if s == exchange.ClientSide {
		req, octets := p.m.RequestRoom()
		*octets = append(*octets, q.head...)
		_, err = http1.ParseRequest(*octets, &scan, limits, req)
	} else {
		resp, octets := p.m.ResponseRoom()
		*octets = append(*octets, q.head...)
		_, err = http1.ParseResponse(*octets, &scan, limits, nil, resp)
	}
	q.head = ""
	if err != nil {
		p.m.Unfit(s, err, p.now)
	} else {
		p.m.Whole(s, q.end, p.now)
	}
	q.end = false
	return true
}

// offerLast tells the machine that a stream ended.
func (p *player) offerLast(s exchange.Side) bool {
	if !p.m.Reads(s) {
		return false
	}
	q := &p.said[s]
	trailers, octets := p.m.TrailerRoom(s)
	for line := range strings.SplitSeq(q.trailers, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			at := len(*octets)
			*octets = append(append(*octets, name...), value...)
			line := (*octets)[at:]
			*trailers = append(*trailers, message.Field{Name: line[:len(name)], Value: line[len(name):]})
		}
	}
	q.last = false
	if !p.m.Last(s, p.now) {
		p.t.Fatalf("the machine reads the %s, but not its end", s)
	}
	return true
}

// head renders the head of a Send to a stream.
func (p *player) head(a *exchange.Action) {
	if !p.stream[a.Side] {
		if a.Request != nil || a.Response != nil || a.End {
			p.t.Fatal("a head or an end for what is no stream")
		}
		return
	}
	var s string
	switch {
	case a.Request != nil:
		r := a.Request
		s = fmt.Sprintf("%s %s|", r.Method, r.Path) + lines(r.Fields)
		if r.Framing == message.Length {
			s += fmt.Sprintf("Content-Length: %d|", r.Length)
		}
		if r.Upgrade != nil {
			s += fmt.Sprintf(":protocol: %s|", r.Upgrade)
		}
	case a.Response != nil:
		r := a.Response
		s = fmt.Sprintf("%d|", r.Status) + lines(r.Fields)
		if r.Framing == message.Length {
			s += fmt.Sprintf("Content-Length: %d|", r.Length)
		}
	default:
		return
	}
	p.got[a.Side] = append(p.got[a.Side], expand(s+"|")...)
}

// last renders the end of a Send to a stream.
func (p *player) last(a *exchange.Action) {
	if a.End {
		p.got[a.Side] = append(p.got[a.Side], expand("$"+lines(a.Trailers))...)
	}
}

func lines(fields []message.Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s|", f.Name, f.Value)
	}
	return b.String()
}
