package scenario

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"portico/cli"
	"portico/demo/app"
	"portico/internal/testkit"
)

// TestMain lets the test binary stand for the programs of the stories, so that
// they run with the race detector when the tests do.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"portico": func() {
			os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, "test"))
		},
		"app": func() { os.Exit(runApp(os.Args[1:])) },
	})
}

// runApp runs one target: app shop|named|echo|garbage NAME ADDRESS [INTERNAL-VIP].
func runApp(args []string) int {
	kind, name, addr := args[0], args[1], args[2]
	var err error
	switch kind {
	case "shop":
		internal := "127.0.0.1:1"
		if len(args) > 3 {
			internal = args[3]
		}
		host, _, _ := cutPort(addr)
		_, err = app.HTTP(name, addr, app.NewShop(name, host, internal).Handler())
	case "named":
		_, err = app.HTTP(name, addr, app.Named(name))
	case "echo":
		_, err = app.Echo(name, addr)
	case "garbage":
		err = garbage(addr)
	default:
		err = fmt.Errorf("app: unknown kind %q", kind)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {} // until killed
}

// garbage answers every connection with what is not HTTP.
func garbage(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte("220 mail.example ESMTP\r\n\r\n"))
		_ = c.Close()
	}
}

// TestStories runs every story.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		WorkdirRoot:         t.TempDir(), // testscript leaves a folder of its own behind
		RequireExplicitExec: false,
		Setup:               setup,
		Cmds:                commands(),
		Deadline:            deadline(t),
	})
}

// setup gives each story a /24 of loopback addresses of its own, as $NET, and folders
// for control sockets and for what nodes keep.
func setup(e *testscript.Env) error {
	network, release := testkit.Network()
	e.Defer(release)
	e.Setenv("NET", network)
	sockets, err := os.MkdirTemp("", "portico") // short: a socket's path is bounded
	if err != nil {
		return err
	}
	e.Setenv("PORTICO_SOCKETS", sockets)
	e.Setenv("STATE_DIRECTORY", filepath.Join(sockets, "state"))
	e.Defer(func() { _ = os.RemoveAll(sockets) })
	story := &story{env: e, jar: map[string]string{}}
	e.Values[storyKey{}] = story
	for _, name := range files(e.WorkDir) {
		if err := story.expandFile(filepath.Join(e.WorkDir, name)); err != nil {
			return err
		}
	}
	return nil
}
