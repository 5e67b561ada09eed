package desync

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portico/test/bed"
)

// stream is one request of HTTP/2 as it is put on the wire, and what becomes of it.
//
//	== name ==
//	: NAME: VALUE       a field; those of HTTP/2's own begin with a colon too
//	d BYTES             a DATA frame
//	t NAME: VALUE       a field after the body
//	= refused           not served: an error of the stream or connection, or 4xx, 501
//	= POST /x "body"    forwarded so, as HTTP/1.1
//	has, lacks          as in the other corpus
//
// What is sent is written with the escapes of the other corpus.
type stream struct {
	name, at         string
	fields, trailers []hpack.HeaderField
	data             [][]byte
	refused          bool
	want             outcome
	has, lacks       []string
}

func streams(t *testing.T) []*stream {
	t.Helper()
	const file = "testdata/downgrade.http2"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*stream
	for i, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if word == "==" {
			all = append(all, &stream{name: strings.TrimSuffix(rest, " =="), at: fmt.Sprintf("%s:%d", file, i+1)})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if err := all[len(all)-1].line(word, rest); err != nil {
			t.Fatalf("%s:%d: %v", file, i+1, err)
		}
	}
	return all
}

// line takes one line of a case.
func (s *stream) line(word, rest string) error {
	raw, err := unescape(rest)
	switch word {
	case ":":
		s.fields = append(s.fields, field(string(raw)))
	case "t":
		s.trailers = append(s.trailers, field(string(raw)))
	case "d":
		s.data = append(s.data, raw)
	case "=":
		if s.refused = rest == "refused"; !s.refused {
			s.want, err = parseOutcome(rest)
		}
	case "has":
		s.has = append(s.has, rest)
	case "lacks":
		s.lacks = append(s.lacks, rest)
	default:
		err = fmt.Errorf("%q is no line of a case", word)
	}
	return err
}

// field splits at the last colon that a space or the end follows.
func field(text string) hpack.HeaderField {
	name, value, ok := strings.Cut(text, ": ")
	if !ok {
		name = strings.TrimSuffix(text, ":")
	}
	return hpack.HeaderField{Name: name, Value: value}
}

// send puts the request of a case on a new connection, by prior knowledge, and
// returns the status of its answer and the body; 0 where there was none but an error.
func (s *stream) send(t *testing.T, address string) (status int, body []byte) {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, hang)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(hang))
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&out, c)
	f.AllowIllegalWrites = true
	_ = f.WriteSettings()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	head := func(fields []hpack.HeaderField, end bool) {
		block.Reset()
		for _, h := range fields {
			_ = encoder.WriteField(h)
		}
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	}
	head(s.fields, len(s.data)+len(s.trailers) == 0)
	for i, data := range s.data {
		_ = f.WriteData(1, i == len(s.data)-1 && len(s.trailers) == 0, data)
	}
	if len(s.trailers) > 0 {
		head(s.trailers, true)
	}
	if _, err := c.Write(out.Bytes()); err != nil {
		return 0, nil
	}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return answered(f)
}

// answered reads frames until the stream has ended one way or the other.
func answered(f *http2.Framer) (status int, body []byte) {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return 0, nil
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if v := frame.PseudoValue("status"); v != "" {
				status, _ = strconv.Atoi(v)
			}
			if frame.StreamEnded() {
				return status, body
			}
		case *http2.DataFrame:
			body = append(body, frame.Data()...)
			if frame.StreamEnded() {
				return status, body
			}
		case *http2.RSTStreamFrame:
			if status < 400 {
				status = 0
			}
			return status, body
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				return 0, nil
			}
		}
	}
}

// TestDowngrade proves of every case that a request of HTTP/2 reaches a target of
// HTTP/1.1 as the one thing it means or not at all, and that the target's
// connection is not spoiled for a stranger.
func TestDowngrade(t *testing.T) {
	b := bed.New(t)
	o := newOrigin(t, b.Addr("51:8000"))
	front := b.Addr("10:8001")
	b.Portico(b.Write("testdata/portico.yaml"), front, "--admin", "off")
	bed.NeedHTTP2(t, front)
	cases, good := streams(t), 0
	for _, s := range cases {
		if t.Run(s.name, func(t *testing.T) { s.judge(t, o, front) }) {
			good++
		}
	}
	bed.Publish(t, bed.Score{Suite: downgrades, Portico: fmt.Sprintf("%d/%d", good, len(cases))})
}

// downgrades is the name of the cases on the page of scores.
const downgrades = "HTTP/2 to 1.1 corpus"

// judge plays a case and a stranger's request after it.
func (s *stream) judge(t *testing.T, o *origin, front string) {
	t.Helper()
	from := o.count()
	status, body := s.send(t, front)
	stranger, _ := exchange(front, []byte(victim), false, []string{"GET"}, hang)
	seen := o.since(from)
	own := 0
	if !s.refused {
		own = 1
	}
	if len(seen) != own+1 {
		t.Fatalf("%s: answered with %d; the origin saw %d requests, want %d and the victim's: %q", s.at, status, len(seen), own, raws(seen))
	}
	a := &attempt{at: s.at, has: s.has, lacks: s.lacks}
	a.judgeVictim(t, played{stranger: stranger, seen: seen}, own)
	if s.refused {
		if status != 0 && (status < 400 || status >= 500) && status != 501 {
			t.Errorf("%s: answered with %d, want a refusal", s.at, status)
		}
		return
	}
	a.judgeSeen(t, s.want, answer{status: status, seen: from, body: body}, seen, 0)
	a.judgeHead(t, seen)
	for _, r := range readings {
		if ends := r.split(seen[0].raw); len(ends) != 1 || ends[0] != len(seen[0].raw) {
			t.Errorf("%s: read as %q the request ends at %v of %d", s.at, r.name, ends, len(seen[0].raw))
		}
	}
}

func raws(all []*seen) (texts []string) {
	for _, s := range all {
		texts = append(texts, string(s.raw))
	}
	return texts
}

// TestPeersDowngrade plays the cases to nginx and HAProxy, and says where they
// decide otherwise. It proves nothing of Portico.
func TestPeersDowngrade(t *testing.T) {
	if testing.Short() {
		t.Skip("peers take their time; run without -short")
	}
	score := bed.Score{Suite: downgrades}
	for i, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			bed.Need(t, peer.name)
			b := bed.New(t)
			o := newOrigin(t, b.Addr(peer.origin))
			peer.run(b, b.Addr(peer.own))
			good, cases := 0, streams(t)
			for _, s := range cases {
				from := o.count()
				status, _ := s.send(t, strings.Replace(b.Addr(peer.own), ":8000", ":8002", 1))
				seen := o.since(from)
				switch {
				case s.refused == (len(seen) == 0):
					good++
				case len(seen) == 0:
					t.Logf("%s %q: refused with %d", s.at, s.name, status)
				default:
					t.Logf("%s %q: %d; the origin got %q (%v)", s.at, s.name, status, raws(seen), seen[0].refused)
				}
			}
			*[]*string{&score.NGINX, &score.HAProxy}[i] = fmt.Sprintf("%d/%d", good, len(cases))
		})
	}
	bed.Publish(t, score)
}
