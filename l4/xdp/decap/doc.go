// Package decap takes clients' packets out of those that l4 nodes wrap them in,
// on an l7 node: a program in the kernel, and what the node must be besides so
// that its sockets on VIPs get them.
//
// What comes in: a spec. What goes out: the program on the node's interface, with
// the addresses of the site's nodes and VIPs; the VIPs on lo, where nobody on the
// link is told of them; and counts of what became of packets. A packet of a flow
// that no socket here owns is sent to the node that had it before, once.
//
// It never touches what the machine had before without putting it back, takes
// nothing from who is no node of the site, and reads no byte of a connection. What
// a killed process left goes on, and the next one adopts it.
//
// Start reading at Decapsulator.Apply; the program is l4/xdp/bpf/decap.bpf.c.
package decap

//go:generate ../../../bin/tools/bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -output-stem program program ../bpf/decap.bpf.c -- -O2 -g -Wall -Wextra -Werror -mcpu=v3 -fno-strict-aliasing -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu
