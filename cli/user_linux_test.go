package cli_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/client"
	"portico/internal/capability"
	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/l4/xdp"
	"portico/node"
)

// userSpec is an l4 node that takes flows of a VIP to its client's host.
const userSpec = `portico: v1
sites:
  - name: edge
    l4: {datapath: %s, flows: 1024}
    nodes:
      - {name: one, address: 10.79.0.1, roles: [l4]}
vips:
  - {name: public, addresses: {edge: [10.79.0.10]}}
listeners:
  - {name: echo, vip: public, port: %d, protocol: tcp, targetGroups: [echo]}
targetGroups:
  - {name: echo, forward: nat, targets: [10.79.0.2:9]}
`

// TestUserRights proves that a user who is not root runs a node with what the guide
// lists and nothing more, granted to the binary: it gets ready and carries connections.
// After that no thread has what only a start needs, nor could gain anything.
func TestUserRights(t *testing.T) {
	program := grantable(t)
	for _, tt := range []struct {
		name     string
		datapath string
		port     int
		rows     []string // of the guide's table
	}{
		{"relay", "relay", 8081, []string{"`datapath: relay`"}},
		{"relay on a low port", "relay", 81, []string{"a port below 1024"}},
		{"kernel", "xdp", 81, []string{"`datapath: xdp`"}},
		{"kernel, on a machine without a BPF file system", "xdp", 81, []string{"`datapath: xdp`", mountRow}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mounts := slices.Contains(tt.rows, mountRow)
			granted := grant(t, program, guide(t, tt.rows...))
			dir := foldersOf(t, fmt.Sprintf(userSpec, tt.datapath, tt.port))
			if needs := listed(t, program, filepath.Join(dir, "spec.yaml")); needs != granted&^capability.SysAdmin {
				t.Errorf("check --needs lists %s, the guide %s", needs, granted)
			}
			n := netns.New(t)
			edge, far := n.Add("edge"), n.Add("client")
			n.Veth(edge, "eth0", []string{"10.79.0.1/24"}, far, "eth0", []string{"10.79.0.2/24"})
			far.IP("route add 10.79.0.10 via 10.79.0.1")
			wired(t, far)
			if tt.datapath == "relay" {
				edge.Address("lo", "10.79.0.10/32")
			}
			socket := filepath.Join(dir, "s")
			pid := untilDrained(t, asNobody(edge, tt.datapath == "xdp", mounts, program, "run", "--config", filepath.Join(dir, "spec.yaml"), "--admin", "off", "--socket", socket, "--state", dir), socket)
			echoes(t, far, net.JoinHostPort("10.79.0.10", strconv.Itoa(tt.port)))
			carries(t, socket, tt.datapath == "xdp")
			drained(t, pid, granted&node.Uses)
		})
	}
}

// grantable is a binary that any user may run, and that capabilities can be granted to.
func grantable(t *testing.T) (program string) {
	t.Helper()
	if os.Getuid() != 0 {
		testkit.Without(t, "to grant capabilities needs root")
	}
	for _, tool := range []string{"setcap", "setpriv", "unshare", "ethtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			testkit.Without(t, tool+" is not installed")
		}
	}
	dir := open(t)
	program = built(t, dir)
	var at unix.Statfs_t
	if err := unix.Statfs(dir, &at); err != nil {
		t.Fatal(err)
	}
	if at.Flags&unix.ST_NOSUID != 0 {
		testkit.Without(t, "the file system of "+dir+" is mounted nosuid: the kernel grants a binary there nothing")
	}
	if out, err := exec.Command("setcap", "cap_net_raw=+ep", program).CombinedOutput(); err != nil {
		testkit.Without(t, fmt.Sprintf("setcap %s: %v: %s", program, err, out))
	}
	if bound, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && bound == 1 {
		testkit.Without(t, "no_new_privs is set: the kernel grants no binary anything")
	}
	return program
}

// open is a folder that other users may pass.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// foldersOf is a folder of nobody's with a spec in it.
func foldersOf(t *testing.T, text string) string {
	t.Helper()
	dir := open(t)
	id := nobody(t)
	file := filepath.Join(dir, "spec.yaml")
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chown(file, id, id), os.Chown(dir, id, id)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func nobody(t *testing.T) (id int) {
	t.Helper()
	who, err := user.Lookup("nobody")
	if err != nil {
		testkit.Without(t, err.Error())
	}
	if id, err = strconv.Atoi(who.Uid); err != nil {
		t.Fatal(err)
	}
	return id
}

// mountRow is the guide's row of what mounting takes.
const mountRow = "mounting"

var capabilityName = regexp.MustCompile("CAP_[A-Z_]+")

// setOf is the capabilities that a text names.
func setOf(t *testing.T, text string) (all capability.Set) {
	t.Helper()
	for _, name := range capabilityName.FindAllString(text, -1) {
		one := capability.Set(1)
		for one != 0 && one.String() != name {
			one <<= 1
		}
		if one == 0 {
			t.Fatalf("no capability %s is known", name)
		}
		all |= one
	}
	return all
}

// guide is what the guide's table lists in some rows, for kernels of today.
func guide(t *testing.T, rows ...string) (all capability.Set) {
	t.Helper()
	text, err := os.ReadFile("../docs/guide/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		_, found, ok := strings.Cut(string(text), "\n| "+row)
		if !ok {
			t.Fatalf("the guide has no row %q", row)
		}
		line, _, _ := strings.Cut(found, "\n")
		now, _, _ := strings.Cut(line, ";") // what follows is of other machines
		all |= setOf(t, now)
	}
	return all
}

// grant has the binary give its process capabilities, and no others.
func grant(t *testing.T, program string, all capability.Set) capability.Set {
	t.Helper()
	words := strings.ToLower(strings.ReplaceAll(all.String(), ", ", ",")) + "=ep"
	if all == 0 {
		words = "-r" // =ep would be all there are
	}
	if out, err := exec.Command("setcap", words, program).CombinedOutput(); err != nil {
		t.Fatalf("setcap %s: %v: %s", words, err, out)
	}
	return all
}

// listed is what check lists of a spec's needs.
func listed(t *testing.T, program, file string) capability.Set {
	t.Helper()
	out, err := exec.Command(program, "check", "--needs", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return setOf(t, string(out))
}

// asNobody runs a program as a user without any of root's power, in a view of its own
// of what is mounted: with a BPF file system as the guide says, or without one.
func asNobody(in *netns.Space, kernel, mounts bool, program string, args ...string) *exec.Cmd {
	before := ""
	switch {
	case mounts:
		before = "while umount /sys/fs/bpf; do :; done 2>&-;"
	case kernel:
		before = "mount -t bpf bpf /sys/fs/bpf && chmod 711 /sys/fs/bpf && install -d -o nobody /sys/fs/bpf/portico &&"
	}
	script := before + ` exec setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --inh-caps=-all "$@"`
	return in.Command("unshare", append([]string{"--mount", "sh", "-c", script, "sh", program}, args...)...)
}

// wired has the end of a link take and send packets as on a wire: with whole checksums.
// A program there, which here does nothing, has veth take what the other end sends by XDP.
func wired(t *testing.T, at *netns.Space) {
	t.Helper()
	at.Output("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
	k, err := xdp.Open(xdp.KernelOptions{Flows: 1})
	if err != nil {
		testkit.Without(t, err.Error())
	}
	t.Cleanup(func() { _ = k.Close() })
	at.Run(func() { err = k.Attach("eth0") })
	if err != nil {
		t.Fatal(err)
	}
}

// echoes proves that a connection from the client's host reaches the target there.
func echoes(t *testing.T, far *netns.Space, vip string) {
	t.Helper()
	var l net.Listener
	var err error
	far.Run(func() { l, err = net.Listen("tcp", "10.79.0.2:9") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	testkit.Poll(t, 20*time.Second, func() error {
		var c net.Conn
		var err error
		far.Run(func() { c, err = net.DialTimeout("tcp", vip, time.Second) })
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, err = io.WriteString(c, "hello")
		got := make([]byte, 5)
		if _, err2 := io.ReadFull(c, got); err != nil || err2 != nil || string(got) != "hello" {
			return fmt.Errorf("%q came back: %w", got, errors.Join(err, err2))
		}
		return nil
	})
}

// carries proves that the node says of its listener that the kernel carries it, or that
// sockets do.
func carries(t *testing.T, socket string, kernel bool) {
	t.Helper()
	nodes, err := client.Unix(socket).Status(t.Context())
	if err != nil || len(nodes) != 1 || len(nodes[0].Listeners) != 1 {
		t.Fatalf("status %+v, %v; want one listener", nodes, err)
	}
	if l := nodes[0].Listeners[0]; (l.Kernel != nil) != kernel || l.Total == 0 {
		t.Errorf("listener %+v, want flows in the kernel: %v", l, kernel)
	}
}

// drained proves that every thread of a process has just these capabilities, could gain
// none, and is a user's.
func drained(t *testing.T, pid int, want capability.Set) {
	t.Helper()
	all, err := threadsOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	id := strconv.Itoa(nobody(t))
	for _, one := range all {
		if one.caps["CapPrm"] != want || one.caps["CapEff"] != want || one.caps["CapInh"]|one.caps["CapAmb"] != 0 || !one.bounded {
			t.Errorf("a thread has %v, no_new_privs %v; want %s", one.caps, one.bounded, want)
		}
		if one.users != strings.Join([]string{id, id, id, id}, "\t") {
			t.Errorf("a thread is of users %s, want %s", one.users, id)
		}
	}
}
