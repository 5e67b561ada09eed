package cli_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/client"
	"portico/internal/capability"
	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/node"
	"portico/spec"
)

// rightsSpec is a node with flows in the kernel and in sockets, on VIPs that it
// announces by ARP.
const rightsSpec = `portico: v1
sites:
  - name: edge
    l4: {datapath: xdp, flows: 1024}
    nodes:
      - {name: NODE, address: 10.78.0.1, roles: [vip, l4]}
vips:
  - {name: first, announce: arp, addresses: {edge: [10.78.0.10]}}
listeners:
  - {name: kernel, vip: first, port: 81, protocol: tcp, targetGroups: [hashed]}
targetGroups:
  - {name: hashed, forward: nat, targets: [10.78.0.2:9]}
  - {name: drawn, balance: round-robin, targets: [10.78.0.2:9]}
`

var rightsNext = strings.NewReplacer(
	"listeners:\n", `  - {name: second, announce: arp, addresses: {edge: [10.78.0.11]}}
listeners:
  - {name: kernel-too, vip: second, port: 81, protocol: tcp, targetGroups: [hashed]}
  - {name: sockets, vip: second, port: 82, protocol: tcp, targetGroups: [drawn]}
`)

// TestRights proves that a node of root keeps no capability that no spec needs, on
// any thread, and that with those it has a later spec still adds a VIP, a low port
// and a table in the kernel.
func TestRights(t *testing.T) {
	n := netns.New(t)
	edge, client := n.Add("edge"), n.Add("client")
	n.Veth(edge, "eth0", []string{"10.78.0.1/24"}, client, "eth0", []string{"10.78.0.2/24"})
	name := "rights-" + strconv.Itoa(os.Getpid())
	text := strings.Replace(rightsSpec, "NODE", name, 1)
	pid, socket := runAsRoot(t, edge, name, text)

	lacks, err := threads(pid, node.Uses)
	if err != nil || lacks > 0 {
		t.Fatalf("%d threads have more than %s, or none was looked at: %v", lacks, node.Uses, err)
	}
	applied(t, socket, rightsNext.Replace(text))
	testkit.Poll(t, 20*time.Second, func() (err error) {
		client.Run(func() {
			var c net.Conn
			if c, err = net.DialTimeout("tcp", "10.78.0.11:82", time.Second); err == nil {
				_ = c.Close()
			}
		})
		return err
	})
}

// runAsRoot runs a node as people have it in a namespace, and waits until it answers. It
// drains when the test ends.
func runAsRoot(t *testing.T, in *netns.Space, name, text string) (pid int, socket string) {
	t.Helper()
	dir := t.TempDir()
	program, file := built(t, dir), filepath.Join(dir, "spec.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Join("/sys/fs/bpf/portico", name)) }) // it outlives the process
	socket = filepath.Join(dir, "s")
	return untilDrained(t, in.Command(program, "run", "--config", file, "--node", name, "--admin", "off", "--socket", socket, "--state", dir), socket), socket
}

// built is the program as people have it, without C.
func built(t *testing.T, dir string) (program string) {
	t.Helper()
	program = filepath.Join(dir, "portico")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "portico/cmd/portico")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return program
}

// untilDrained starts a node and waits until it answers at its socket. It drains when
// the test ends.
func untilDrained(t *testing.T, cmd *exec.Cmd, socket string) (pid int) {
	t.Helper()
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its exit code tells
		close(ended)
	}()
	t.Cleanup(func() {
		<-ended // the test's context had it drain
		if code := cmd.ProcessState.ExitCode(); code != 0 || t.Failed() {
			t.Errorf("portico ended with %d\n%s", code, &log)
		}
	})
	testkit.Poll(t, 20*time.Second, func() error {
		select {
		case <-ended:
			t.Fatalf("portico ended at once")
		default:
		}
		_, err := os.Stat(socket)
		return err
	})
	return cmd.Process.Pid
}

// threads counts the threads of a process with capabilities beyond a set, in any of
// their sets, or that could gain some.
func threads(pid int, most capability.Set) (more int, err error) {
	all, err := threadsOf(pid)
	for _, one := range all {
		if (one.caps["CapInh"]|one.caps["CapPrm"]|one.caps["CapEff"]|one.caps["CapBnd"]|one.caps["CapAmb"])&^most != 0 || !one.bounded {
			more++
		}
	}
	return more, err
}

// thread is what /proc says of one.
type thread struct {
	caps    map[string]capability.Set // by the name of the set, as CapEff
	users   string                    // the real, effective, saved one and that for files
	bounded bool                      // no_new_privs
}

// threadsOf are the threads of a process.
func threadsOf(pid int) (all []thread, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errors.New("no threads"))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		one := thread{caps: map[string]capability.Set{}}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			switch {
			case strings.HasPrefix(key, "Cap"):
				set, err := strconv.ParseUint(value, 16, 64)
				if err != nil {
					return nil, err
				}
				one.caps[key] = capability.Set(set)
			case key == "NoNewPrivs":
				one.bounded = value == "1"
			case key == "Uid":
				one.users = value
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func applied(t *testing.T, socket, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := client.Unix(socket).Apply(ctx, []spec.Source{{Name: "next.yaml", Text: []byte(text)}}); err != nil {
		t.Fatal(err)
	}
}
