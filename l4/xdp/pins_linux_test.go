package xdp_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"portico/l4/xdp"
	"portico/spec"
)

// pins mounts a BPF file system of the test's own.
func pins(t *testing.T) string {
	t.Helper()
	root(t)
	folder := filepath.Join(t.TempDir(), "bpf")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("bpf", folder, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(folder, "node")
}

func openPinned(t *testing.T, folder string, flows int) *xdp.Kernel {
	t.Helper()
	k, err := xdp.Open(xdp.KernelOptions{Pins: folder, Flows: flows})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// TestAdopt proves that what is pinned outlives the process that made it: the next
// one has the flow table, the ids of targets and the counters, and one that wants
// another room for flows copies what is remembered.
func TestAdopt(t *testing.T) {
	folder := pins(t)
	first := openPinned(t, folder, 1024)
	if first.Adopted() {
		t.Error("the first process adopted something")
	}
	const a, b, c = "10.1.1.1:80", "10.1.1.2:80", "10.1.1.3:80"
	if err := first.Apply(plan(spec.ForwardGUE, table(a))); err != nil {
		t.Fatal(err)
	}
	if got := forwarded(t, first, tcp4(tcpACK)); got.outer.dst.String() != "10.1.1.1" {
		t.Fatalf("to %v", got.outer.dst)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, flows := range []int{1024, 2048} { // adopted, then carried over
		k := openPinned(t, folder, flows)
		if k.Adopted() != (flows == 1024) {
			t.Errorf("%d flows: adopted %v", flows, k.Adopted())
		}
		// The flow's target is in no table any more, but may keep its flows.
		p := plan(spec.ForwardGUE, table(b, c))
		p.Targets = []xdp.Target{target(a)}
		if err := k.Apply(p); err != nil {
			t.Fatal(err)
		}
		if got := forwarded(t, k, tcp4(tcpACK)); got.outer.dst.String() != "10.1.1.1" {
			t.Errorf("%d flows: a known flow goes to %v, want where it was", flows, got.outer.dst)
		}
		counters, err := k.Counters()
		if err != nil {
			t.Fatal(err)
		}
		want := uint64(2)
		if flows == 2048 {
			want = 1 // counters begin anew with other maps
		}
		if got := counters.Listeners["tcp"].Packets; got != want {
			t.Errorf("%d flows: %d packets counted, want %d", flows, got, want)
		}
		if err := k.Attach(); err != nil {
			t.Fatal(err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(folder, "layout-*"))
	if len(left) != 1 {
		t.Errorf("folders %v, want that of the last shape alone", left)
	}
	last := openPinned(t, folder, 2048)
	if err := last.Leave(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("after Leave: %v, want that nothing is pinned", err)
	}
}

// TestTargetsLeave proves that a flow whose target left is placed anew, even when
// the target's id was given to another meanwhile.
func TestTargetsLeave(t *testing.T) {
	k := open(t, plan(spec.ForwardGUE, table("10.1.1.1:80")))
	forwarded(t, k, tcp4(tcpACK))
	if err := k.Apply(plan(spec.ForwardGUE, table("10.1.1.2:80"))); err != nil {
		t.Fatal(err)
	}
	if got := forwarded(t, k, tcp4(tcpACK)); got.outer.dst.String() != "10.1.1.2" {
		t.Errorf("to %v, want 10.1.1.2", got.outer.dst)
	}
	// Every id is used once more, so that the first one comes round.
	for i := range 10 {
		p := &xdp.Plan{}
		for j := range xdp.TargetsMax / 8 {
			p.Targets = append(p.Targets, xdp.Target{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(2 + i), byte(j >> 8), byte(j)}), 80)})
		}
		if err := k.Apply(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Apply(plan(spec.ForwardGUE, table("10.1.1.3:80"))); err != nil {
		t.Fatal(err)
	}
	if got := forwarded(t, k, tcp4(tcpACK)); got.outer.dst.String() != "10.1.1.3" {
		t.Errorf("to %v, want 10.1.1.3", got.outer.dst)
	}
}

// TestSwap proves that no packet is dropped or sent astray while tables change.
func TestSwap(t *testing.T) {
	tables := []*xdp.Table{table("10.1.1.1:80"), table("10.1.1.2:80"), table("10.1.1.3:80", "10.1.1.1:80")}
	k := open(t, plan(spec.ForwardGUE, tables[0]))
	done := make(chan error, 1)
	go func() {
		for i := range 100 {
			p := plan(spec.ForwardGUE, tables[i%len(tables)])
			p.Targets = []xdp.Target{target("10.1.1.1:80"), target("10.1.1.2:80"), target("10.1.1.3:80")}
			if err := k.Apply(p); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for i := 0; ; i++ {
		f := tcp4(tcpACK)
		f.src = netip.AddrPortFrom(f.src.Addr(), uint16(1024+i%60000))
		forwarded(t, k, f)
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if i < 10 {
				t.Errorf("only %d packets while tables changed", i)
			}
			return
		default:
		}
	}
}
