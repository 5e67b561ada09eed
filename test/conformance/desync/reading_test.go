package desync

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// reading is one way to find where requests end. The zero value is that of RFC
// 9112; every other is how some server was seen to read. Bytes that all of them
// split alike have one meaning.
type reading struct {
	name        string
	bareLF      bool // a line may end with LF alone
	fold        bool // a line that starts with a space goes on with the one before
	spaced      bool // spaces before a colon are dropped
	lengthFirst bool // of length and chunks the length counts
	lastLength  bool // of two lengths the last counts
	anyChunked  bool // any coding that holds the word is chunked
	looseSize   bool // a chunk size is read as far as it can be read
}

var readings = []reading{
	{name: "RFC 9112"},
	{name: "bare LF", bareLF: true},
	{name: "folded and spaced", fold: true, spaced: true},
	{name: "length first", lengthFirst: true},
	{name: "last length first", lengthFirst: true, lastLength: true},
	{name: "any chunked", anyChunked: true},
	{name: "loose all over", bareLF: true, fold: true, spaced: true, anyChunked: true, looseSize: true, lastLength: true},
	{name: "loose, length first", bareLF: true, fold: true, spaced: true, lengthFirst: true, looseSize: true},
}

// request is one request as a reading sees it.
type request struct {
	method, target string
	head           []string // lines, the first one included
	body           []byte
	raw            []byte
}

var (
	errPartial = errors.New("the request is not whole")
	errNone    = errors.New("this is no request")
)

// next reads the request at the start of b.
func (r reading) next(b []byte) (*request, error) {
	req, rest := &request{}, b
	for {
		var line string
		var ok bool
		if line, rest, ok = r.line(rest); !ok {
			return nil, errPartial
		}
		if line == "" {
			break
		}
		if r.fold && len(req.head) > 0 && strings.IndexAny(line[:1], " \t") == 0 {
			req.head[len(req.head)-1] += line
			continue
		}
		req.head = append(req.head, line)
	}
	if len(req.head) == 0 {
		return nil, errNone
	}
	words := strings.Split(req.head[0], " ")
	if len(words) != 3 {
		return nil, errNone
	}
	req.method, req.target = words[0], words[1]
	rest, err := r.body(req, rest)
	req.raw = b[:len(b)-len(rest)]
	return req, err
}

func (r reading) line(b []byte) (line string, rest []byte, ok bool) {
	for i, c := range b {
		if c != '\n' {
			continue
		}
		if i > 0 && b[i-1] == '\r' {
			return string(b[:i-1]), b[i+1:], true
		}
		if r.bareLF {
			return string(b[:i]), b[i+1:], true
		}
	}
	return "", nil, false
}

// field returns the values of a field.
func (r reading) field(req *request, name string) (values []string) {
	for _, line := range req.head[1:] {
		n, v, _ := strings.Cut(line, ":")
		if r.spaced {
			n = strings.TrimRight(n, " \t")
		}
		if strings.EqualFold(n, name) {
			values = append(values, strings.Trim(v, " \t"))
		}
	}
	return values
}

// body takes the body off rest.
func (r reading) body(req *request, rest []byte) ([]byte, error) {
	lengths, chunked := r.field(req, "content-length"), false
	for _, coding := range r.field(req, "transfer-encoding") {
		chunked = chunked || strings.EqualFold(coding, "chunked") ||
			r.anyChunked && strings.Contains(strings.ToLower(coding), "chunked")
	}
	if chunked && (!r.lengthFirst || len(lengths) == 0) {
		return r.chunks(req, rest)
	}
	if len(lengths) == 0 {
		return rest, nil
	}
	length := lengths[0]
	if r.lastLength {
		length = lengths[len(lengths)-1]
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return nil, errNone
	}
	if uint64(len(rest)) < n {
		return nil, errPartial
	}
	req.body = rest[:n]
	return rest[n:], nil
}

func (r reading) chunks(req *request, rest []byte) ([]byte, error) {
	for {
		line, after, ok := r.line(rest)
		if !ok {
			return nil, errPartial
		}
		size, err := strconv.ParseUint(r.size(line), 16, 63)
		if err != nil {
			return nil, errNone
		}
		rest = after
		if size == 0 {
			break
		}
		if uint64(len(rest)) < size {
			return nil, errPartial
		}
		req.body = append(req.body, rest[:size]...)
		if line, rest, ok = r.line(rest[size:]); !ok {
			return nil, errPartial
		}
		if line != "" {
			return nil, errNone
		}
	}
	for {
		line, after, ok := r.line(rest)
		if !ok {
			return nil, errPartial
		}
		if rest = after; line == "" {
			return rest, nil
		}
	}
}

func (r reading) size(line string) string {
	if !r.looseSize {
		return line
	}
	line = strings.TrimLeft(line, " \t")
	end := strings.IndexFunc(line, func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", c) })
	if end < 0 {
		return line
	}
	return line[:end]
}

// split reads one request after another and returns where each ends.
func (r reading) split(stream []byte) (ends []int) {
	at := 0
	for at < len(stream) {
		req, err := r.next(stream[at:])
		if err != nil {
			break
		}
		at += len(req.raw)
		ends = append(ends, at)
	}
	return ends
}

// canonical reports what is not the one form that this kind of request has: one
// spelling of everything that frames it, so that there is nothing to disagree about.
func canonical(req *request) error {
	var names []string
	for i, line := range req.head {
		if strings.ContainsAny(line, "\r\n\x00") {
			return errors.New("a control byte in " + strconv.Quote(line))
		}
		if i == 0 {
			continue
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || name == "" || strings.ContainsAny(name, " \t:") || value != strings.Trim(value, " \t") {
			return errors.New("not the usual form of a field: " + strconv.Quote(line))
		}
		names = append(names, strings.ToLower(name))
		if strings.EqualFold(name, "transfer-encoding") && value != "chunked" {
			return errors.New("another coding: " + strconv.Quote(line))
		}
	}
	count := func(name string) (n int) {
		for _, have := range names {
			if have == name {
				n++
			}
		}
		return n
	}
	if !strings.HasSuffix(req.head[0], " HTTP/1.1") {
		return errors.New("another version: " + strconv.Quote(req.head[0]))
	}
	if count("host") != 1 || count("content-length")+count("transfer-encoding") > 1 {
		return errors.New("not one host, or more than one framing: " + strconv.Quote(strings.Join(req.head, "|")))
	}
	return nil
}

// TestReadings proves that the readings differ where servers do: each pair of a
// stream and two readings is split differently.
func TestReadings(t *testing.T) {
	const both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
	tests := []struct {
		name, stream string
		want         map[string]int // the end of the first request; -1: none
	}{
		{"plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", map[string]int{"RFC 9112": 27, "loose all over": 27, "bare LF": 27}},
		{"both framings", both, map[string]int{"RFC 9112": len(both), "length first": len(both) - 7}},
		{"two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", map[string]int{"length first": 58, "last length first": 59}},
		{"bare LF", "GET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n", map[string]int{"RFC 9112": -1, "bare LF": 16}},
		{"coding", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", map[string]int{"RFC 9112": 48, "any chunked": 53}},
		{"spaced length", "POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\nabc", map[string]int{"RFC 9112": 39, "folded and spaced": 41}},
		{"loose size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x\r\n\r\n", map[string]int{"RFC 9112": -1, "loose all over": 53}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range readings {
				want, asked := tt.want[r.name]
				got := -1
				if ends := r.split([]byte(tt.stream)); len(ends) > 0 {
					got = ends[0]
				}
				if asked && got != want {
					t.Errorf("%s: ends at %d, want %d", r.name, got, want)
				}
			}
		})
	}
	if !bytes.Equal([]byte(both)[len(both)-5:], []byte("0\r\n\r\n")) {
		t.Error("the stream is not what the lengths were counted of")
	}
}
