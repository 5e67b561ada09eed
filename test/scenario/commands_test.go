package scenario

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"portico/demo"
)

// pollFor is how long a story waits for something to become true.
const pollFor = 30 * time.Second

type storyKey struct{}

// story is the state of one running story.
type story struct {
	env *testscript.Env
	jar map[string]string // cookies
	// dns are the servers that get asks for names.
	dns []string
	// held are the connections of hold.
	held []net.Conn
}

func of(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

// commands lists what stories can do beside what testscript brings.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"certificates": certificates,  // certificates HOST...: ca.pem, myapp.pem, myapp.key, sticky.key
		"resolver":     resolver,      // resolver ADDR...: the DNS servers that get and lookup ask
		"lookup":       lookup,        // lookup NAME: the addresses, one a line
		"get":          get,           // get [-X METHOD] [-H LINE] [-d BODY] URL: status, some fields, body
		"eventually":   eventually,    // eventually REGEXP COMMAND...: until its output matches
		"listens":      listens,       // listens ADDRESS...: until somebody accepts connections there
		"served-by":    servedBy,      // served-by VAR OTHER NAME NAME: set VAR to who served the last get, OTHER to the other
		"hold":         hold,          // hold N ADDRESS: open N connections and keep them
		"release":      release,       // release: close what hold opened
		"forget":       forget,        // forget: drop all cookies
		"repeat":       repeat,        // repeat N COMMAND...: N times, output joined
		"count":        count,         // count N REGEXP: matches in the last output
		"websocket":    websocketEcho, // websocket URL TEXT: send it, print what comes back
		"line":         line,          // line NAME:PORT TEXT: print the greeting, send a line, print the next
		"raw":          raw,           // raw ADDRESS TEXT: send bytes (Go escapes), print what comes back
		"replace":      replace,       // replace FILE OLD NEW: edit a file
	}
}

func certificates(ts *testscript.TestScript, _ bool, hosts []string) {
	ts.Check(demo.WriteKeys(ts.MkAbs("."), hosts))
}

func deadline(t *testing.T) time.Time {
	t.Helper()
	if d, ok := t.Deadline(); ok {
		return d
	}
	return time.Time{}
}

// files lists the story's files below a folder.
func files(dir string) []string {
	var names []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if rel, err := filepath.Rel(dir, path); err == nil {
				names = append(names, rel)
			}
		}
		return nil
	})
	return names
}

// expandFile replaces $NET in a file of the story.
func (s *story) expandFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "$NET", s.env.Getenv("NET"))), 0o600)
}

func cutPort(addr string) (host, port string, err error) { return net.SplitHostPort(addr) }

func resolver(ts *testscript.TestScript, _ bool, args []string) { of(ts).dns = args }

func forget(ts *testscript.TestScript, _ bool, _ []string) { clear(of(ts).jar) }

// lookupHost asks the story's DNS servers, in order, as a stub resolver does.
func (s *story) lookupHost(ctx context.Context, name string) ([]string, error) {
	if net.ParseIP(name) != nil {
		return []string{name}, nil
	}
	var last error
	for _, server := range s.dns {
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, server)
		}}
		addrs, err := r.LookupHost(ctx, name+".")
		if err == nil {
			return addrs, nil
		}
		last = err
	}
	return nil, last
}

func lookup(ts *testscript.TestScript, neg bool, args []string) {
	addrs, err := of(ts).lookupHost(context.Background(), args[0])
	slices.Sort(addrs)
	finish(ts, neg, strings.Join(addrs, "\n")+"\n", err)
}

// finish shows a command's output and fails the story where it should.
func finish(ts *testscript.TestScript, neg bool, out string, err error) {
	_, _ = io.WriteString(ts.Stdout(), out)
	switch {
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	case err == nil && neg:
		ts.Fatalf("unexpected success")
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	out, err := of(ts).get(ts, args)
	finish(ts, neg, out, err)
}

// get makes one request on a connection of its own and returns what a person
// would look at.
func (s *story) get(ts *testscript.TestScript, args []string) (string, error) {
	method, body := http.MethodGet, ""
	header := http.Header{}
	for len(args) > 2 {
		switch args[0] {
		case "-X":
			method = args[1]
		case "-d":
			body = args[1]
		case "-H":
			name, value, _ := strings.Cut(args[1], ":")
			header.Add(name, strings.TrimSpace(value))
		}
		args = args[2:]
	}
	req, err := http.NewRequest(method, args[0], strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header = header
	for name, value := range s.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return s.do(ts, req)
}

func (s *story) do(ts *testscript.TestScript, req *http.Request) (string, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: s.dial}
	if text, err := os.ReadFile(ts.MkAbs("ca.pem")); err == nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	for _, c := range resp.Cookies() {
		s.jar[c.Name] = c.Value
	}
	text, err := io.ReadAll(resp.Body)
	var b strings.Builder
	fmt.Fprintln(&b, resp.Status)
	for _, name := range []string{"Location", "X-Served-By"} {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.Write(text)
	return b.String(), err
}

func (s *story) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := cutPort(addr)
	if err != nil {
		return nil, err
	}
	addrs, err := s.lookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(addrs[0], port))
}

// run executes one command of a story and returns its output; commands of this
// package run here, others as processes.
func (s *story) run(ts *testscript.TestScript, args []string) (string, error) {
	switch args[0] {
	case "get":
		return s.get(ts, args[1:])
	case "repeat":
		return s.repeat(ts, args[1:])
	case "lookup":
		addrs, err := s.lookupHost(context.Background(), args[1])
		return strings.Join(addrs, "\n") + "\n", err
	}
	var out strings.Builder
	err := ts.Exec(args[0], args[1:]...)
	out.WriteString(ts.ReadFile("stdout"))
	out.WriteString(ts.ReadFile("stderr"))
	return out.String(), err
}

// eventually repeats a command until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	// In single quotes testscript expands nothing, and patterns need both.
	want, err := regexp.Compile("(?m)" + strings.ReplaceAll(args[0], "$NET", ts.Getenv("NET")))
	ts.Check(err)
	end := time.Now().Add(pollFor)
	var out string
	for time.Now().Before(end) {
		out, err = of(ts).run(ts, args[1:])
		if want.MatchString(out) != neg {
			_, _ = io.WriteString(ts.Stdout(), out)
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	ts.Fatalf("%v: after %v still %q (%v)", args, pollFor, out, err)
}

// listens waits for programs that were started beside the story.
func listens(ts *testscript.TestScript, _ bool, args []string) {
	for _, addr := range args {
		for end := time.Now().Add(pollFor); ; <-time.After(20 * time.Millisecond) {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(end) {
				ts.Fatalf("listens: after %v still %v", pollFor, err)
			}
		}
	}
}

func repeat(ts *testscript.TestScript, neg bool, args []string) {
	out, err := of(ts).repeat(ts, args)
	finish(ts, neg, out, err)
}

// repeat runs a command N times, until one fails, and joins what it says.
func (s *story) repeat(ts *testscript.TestScript, args []string) (string, error) {
	n := 0
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	var out strings.Builder
	for range n {
		one, err := s.run(ts, args[1:])
		out.WriteString(one)
		if err != nil {
			return out.String(), err
		}
	}
	return out.String(), nil
}

// count fails unless the last output holds exactly N matches.
func count(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	out := ts.ReadFile("stdout")
	if got := len(regexp.MustCompile("(?m)"+args[1]).FindAllString(out, -1)); got != n {
		ts.Fatalf("%d matches of %s, want %d, in:\n%s", got, args[1], n, out)
	}
}

func replace(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// raw sends bytes as they are and prints what comes back until the end.
func raw(ts *testscript.TestScript, neg bool, args []string) {
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	c, err := net.Dial("tcp", args[0])
	ts.Check(err)
	defer func() { _ = c.Close() }()
	ts.Check(c.SetDeadline(time.Now().Add(pollFor)))
	_, err = io.WriteString(c, text)
	ts.Check(err)
	answer, err := io.ReadAll(c)
	finish(ts, neg, string(answer), err)
}

// servedBy finds which of two names the last output was served by.
func servedBy(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	for i, name := range args[2:4] {
		if strings.Contains(out, "X-Served-By: "+name+"\n") {
			ts.Setenv(args[0], name)
			ts.Setenv(args[1], args[3-i])
			return
		}
	}
	ts.Fatalf("neither %v served:\n%s", args[2:4], out)
}

// hold opens connections that say nothing, as many as a server has files for and
// more. Those that are refused count as well.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	s := of(ts)
	for range n {
		if c, err := net.DialTimeout("tcp", args[1], time.Second); err == nil {
			s.held = append(s.held, c)
		}
	}
}

func release(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	for _, c := range s.held {
		_ = c.Close()
	}
	s.held = nil
}
