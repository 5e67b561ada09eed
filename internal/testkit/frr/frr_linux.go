package frr

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/internal/testkit/netns"
)

// Folder is where Debian puts the daemons.
const Folder = "/usr/lib/frr"

// bound is against hanging: a daemon is up within a second.
const bound = 30 * time.Second

// Config is the text of the daemons' configurations, lines as vtysh takes them.
type Config struct {
	// BGP is bgpd's; required.
	BGP string
	// BFD is bfdd's; empty means that it does not run.
	BFD string
	// Zebra is added to zebra's, which has what a namespace needs.
	Zebra string
}

// Router is FRR in one namespace.
type Router struct {
	Space *netns.Space
	Dir   string // configurations, logs, sockets

	tb   testing.TB
	ends []func() // of daemons, in order of their start
}

// Start starts zebra, bgpd and, where configured, bfdd in a namespace, and waits
// until they answer.
func Start(tb testing.TB, s *netns.Space, c Config) *Router {
	tb.Helper()
	if _, err := os.Stat(filepath.Join(Folder, "bgpd")); err != nil {
		testkit.Without(tb, "frr is not installed")
	}
	r := &Router{Space: s, tb: tb, Dir: folder(tb)}
	// Without its nexthop objects the routes of zebra are seen whole by ip route.
	r.daemon("zebra", "no zebra nexthop kernel enable\n"+c.Zebra)
	if c.BFD != "" {
		r.daemon("bfdd", c.BFD, "--bfdctl", filepath.Join(r.Dir, "bfdd.sock"))
	}
	r.daemon("bgpd", c.BGP)
	return r
}

// folder makes a folder that the user frr may write to; paths of sockets are short.
func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "frr") //nolint:usetesting // a socket's path is bounded, and tb.TempDir is long
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	owner, err := user.Lookup("frr")
	if err != nil {
		testkit.Without(tb, "there is no user frr")
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func (r *Router) daemon(name, text string, more ...string) {
	r.tb.Helper()
	conf, log := filepath.Join(r.Dir, name+".conf"), filepath.Join(r.Dir, name+".log")
	text = fmt.Sprintf("hostname r\nlog file %s informational\n%s\n", log, text)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		r.tb.Fatal(err)
	}
	args := append([]string{
		"-f", conf, "-i", filepath.Join(r.Dir, name+".pid"), "-z", filepath.Join(r.Dir, "zserv.api"),
		"--vty_socket", r.Dir, "-u", "frr", "-g", "frr", "-P", "0",
	}, more...)
	cmd := r.Space.Command(filepath.Join(Folder, name), args...)
	out, err := os.Create(filepath.Join(r.Dir, name+".out"))
	if err != nil {
		r.tb.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	end := r.Space.Start(cmd)
	r.ends = append(r.ends, end)
	r.tb.Cleanup(func() { _ = out.Close() })
	testkit.Poll(r.tb, bound, func() error {
		if _, err := os.Stat(filepath.Join(r.Dir, name+".vty")); err != nil {
			said, _ := os.ReadFile(out.Name())
			return fmt.Errorf("%s: %w: %s", name, err, said)
		}
		return nil
	})
}

// Kill ends the daemons at once, as a crash of the router would; the kernel keeps
// the routes.
func (r *Router) Kill() {
	for _, end := range slices.Backward(r.ends) {
		end()
	}
}

// VTY runs vtysh with one command a string and returns what it printed.
func (r *Router) VTY(commands ...string) string {
	r.tb.Helper()
	args := []string{"--vty_socket", r.Dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := exec.CommandContext(r.tb.Context(), "vtysh", args...).CombinedOutput()
	if err != nil {
		r.tb.Fatalf("vtysh %s: %v: %s", strings.Join(commands, "; "), err, out)
	}
	return string(out)
}

// Configure runs vtysh commands in its configuration mode.
func (r *Router) Configure(commands ...string) {
	r.tb.Helper()
	r.VTY(append([]string{"configure terminal"}, commands...)...)
}

// NextHops are the next hops of a prefix in the routes of the namespace's kernel,
// sorted as the kernel has them; none when it has no route. A next hop without an
// address is given by its interface.
func (r *Router) NextHops(prefix string) []string {
	r.tb.Helper()
	family := "-4"
	if strings.Contains(prefix, ":") {
		family = "-6"
	}
	var routes []struct {
		hop
		NextHops []hop `json:"nexthops"`
	}
	out := r.Space.Output("ip", "-j", family, "route", "show", prefix)
	if err := json.Unmarshal([]byte(out), &routes); err != nil {
		r.tb.Fatalf("ip route show %s: %v: %s", prefix, err, out)
	}
	var hops []string
	for _, route := range routes {
		if len(route.NextHops) == 0 {
			hops = append(hops, route.String())
		}
		for _, h := range route.NextHops {
			hops = append(hops, h.String())
		}
	}
	return hops
}

// hop is a next hop as ip route -j says it.
type hop struct {
	Gateway string `json:"gateway"`
	Via     *struct {
		Host string `json:"host"`
	} `json:"via"` // of another family
	Dev string `json:"dev"`
}

func (h hop) String() string {
	switch {
	case h.Gateway != "":
		return h.Gateway
	case h.Via != nil:
		return h.Via.Host
	}
	return h.Dev
}
