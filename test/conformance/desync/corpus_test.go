package desync

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// attempt is one case of the corpus: bytes of a client, and what becomes of them.
//
//	== name ==
//	> a line, sent with CRLF
//	> one without\
//	end                    the client ends its side after these
//	= POST /path "body"    forwarded so; "close" at the end: and nothing after it
//	= 400                  answered so by Portico, and nothing after it
//	= nothing              not answered: the client's bytes are not whole
//	has NAME: VALUE        a line of the head that the origin got
//	lacks NAME             a field the origin did not get
//
// In what is sent \r \n \t \\ and \xNN are bytes, and \{TEXT*N} is TEXT N times.
// Lines that start with # explain.
type attempt struct {
	name string
	at   string // file and line
	send []byte
	end  bool
	want []outcome

	has, lacks []string
}

// outcome is what becomes of one request.
type outcome struct {
	status               int // Portico's own; 0 when forwarded
	nothing              bool
	method, target, body string
	last                 bool // nothing after it is served
}

// String is how the corpus writes it, without the body.
func (o outcome) String() string {
	switch {
	case o.nothing:
		return "nothing"
	case o.status > 0:
		return strconv.Itoa(o.status)
	}
	return o.method + " " + o.target
}

// stays reports whether another request may follow on the connection.
func (a *attempt) stays() bool {
	return !a.end && !a.want[len(a.want)-1].last
}

// corpus reads every case.
func corpus(t *testing.T) []*attempt {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.corpus")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []*attempt
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		some, err := parseCorpus(filepath.Base(p), string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	return all
}

func parseCorpus(file, text string) ([]*attempt, error) {
	var all []*attempt
	for i, line := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", file, i+1)
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, &attempt{name: strings.TrimSuffix(name, " =="), at: at})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%s: %q before the first case", at, line)
		}
		if err := all[len(all)-1].line(line); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
	}
	names := map[string]bool{}
	for _, a := range all {
		if len(a.send) == 0 || len(a.want) == 0 || names[a.name] {
			return nil, fmt.Errorf("%s: case %q sends nothing, expects nothing or was there before", a.at, a.name)
		}
		names[a.name] = true
	}
	return all, nil
}

// line takes one line of a case.
func (a *attempt) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case ">":
		text, bare := strings.CutSuffix(rest, `\`)
		sent, err := unescape(text)
		if a.send = append(a.send, sent...); !bare {
			a.send = append(a.send, "\r\n"...)
		}
		return err
	case "end":
		a.end = true
	case "=":
		o, err := parseOutcome(rest)
		a.want = append(a.want, o)
		return err
	case "has":
		a.has = append(a.has, rest)
	case "lacks":
		a.lacks = append(a.lacks, rest)
	default:
		return fmt.Errorf("%q is no line of a case", line)
	}
	return nil
}

func parseOutcome(text string) (o outcome, err error) {
	if text == "nothing" {
		return outcome{nothing: true, last: true}, nil
	}
	if status, err := strconv.Atoi(text); err == nil {
		return outcome{status: status, last: true}, nil
	}
	text, o.last = strings.CutSuffix(text, " close")
	text, body, _ := strings.Cut(text, ` "`)
	o.method, o.target, _ = strings.Cut(text, " ")
	raw, err := unescape(strings.TrimSuffix(body, `"`))
	o.body = string(raw)
	return o, err
}

// unescape returns the bytes that a text stands for.
func unescape(text string) ([]byte, error) {
	var b []byte
	for {
		before, rest, more := strings.Cut(text, `\`)
		b = append(b, before...)
		switch {
		case !more:
			return b, nil
		case rest == "":
			return nil, fmt.Errorf(`%q ends within an escape`, text)
		}
		n := 1
		switch c := rest[0]; c {
		case 'r':
			b = append(b, '\r')
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case '\\':
			b = append(b, c)
		case 'x':
			n = 3
			v, err := strconv.ParseUint(rest[1:min(n, len(rest))], 16, 8)
			if err != nil {
				return nil, fmt.Errorf(`\%s: %w`, rest, err)
			}
			b = append(b, byte(v))
		case '{':
			inner, _, _ := strings.Cut(rest[1:], "}")
			star := strings.LastIndexByte(inner, '*')
			times, err := strconv.Atoi(inner[star+1:])
			if err != nil || star < 0 {
				return nil, fmt.Errorf(`\%s is not \{TEXT*N}`, rest)
			}
			part, err := unescape(inner[:star])
			if err != nil {
				return nil, err
			}
			n = len(inner) + 2
			b = append(b, bytes.Repeat(part, times)...)
		default:
			return nil, fmt.Errorf(`\%c is no escape`, c)
		}
		text = rest[n:]
	}
}

// TestCorpus proves that the corpus is read as it is written, and is large.
func TestCorpus(t *testing.T) {
	const text = "# why\n== a ==\n> GET / HTTP/1.1\n> X:\\x00\\{ab*2}\\t\n>\n> z\\\nend\n= GET / \"a\\n\" close\nhas X: y\nlacks Z\n"
	all, err := parseCorpus("f", text)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	a := all[0]
	const sent = "GET / HTTP/1.1\r\nX:\x00abab\t\r\n\r\nz"
	if string(a.send) != sent || !a.end || a.stays() {
		t.Errorf("sends %q, end %v", a.send, a.end)
	}
	if want := (outcome{method: "GET", target: "/", body: "a\n", last: true}); a.want[0] != want {
		t.Errorf("wants %+v, want %+v", a.want[0], want)
	}
	for _, bad := range []string{"> x\n", "== a ==\n", "== a ==\n> x\n= 400\n== a ==\n> x\n= 400\n", "== a ==\nwhat\n", "== a ==\n> \\y\n"} {
		if _, err := parseCorpus("f", bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	const least = 150
	if n := len(corpus(t)); n < least {
		t.Errorf("%d cases, want %d or more", n, least)
	}
}
