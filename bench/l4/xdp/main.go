// Command xdp measures what a packet costs in the kernel, and what a table of slots
// costs to build and to swap. It needs root and nothing else: packets come from the
// kernel's own test run, so that figures are of the program alone.
//
// Its last lines are
//
//	l4 xdp gue hot: ns=N instr=N bare-tx=N
//	l4 xdp nat new: ns=N instr=N
//	l4 maglev 4096 targets: build=… swap=… moved=…%
package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"

	"portico/l4/maglev"
	"portico/l4/xdp"
)

func main() {
	if err := bench(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench/l4/xdp:", err)
		os.Exit(1)
	}
}

func bench(out io.Writer) error {
	lines, err := packets(out)
	if err != nil {
		return err
	}
	line, err := tables(out)
	if err != nil {
		return err
	}
	for _, l := range append(lines, line) {
		_, _ = fmt.Fprintln(out, l)
	}
	return nil
}

// address is that of one target.
func address(i int, v6 bool) netip.AddrPort {
	if v6 {
		a := netip.MustParseAddr("2001:db8:1::").As16()
		a[14], a[15] = byte(i>>8), byte(i)
		return netip.AddrPortFrom(netip.AddrFrom16(a), 80)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), 80)
}

func tableOf(t *maglev.Table) *xdp.Table {
	made := &xdp.Table{}
	for _, n := range t.Names {
		made.Targets = append(made.Targets, n.Address)
	}
	for _, s := range t.Slots {
		made.Slots = append(made.Slots, uint32(s))
	}
	return made
}
