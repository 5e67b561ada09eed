// Package cost measures what one packet costs in the kernel's program, without a
// wire: for the benchmark (bench/l4/xdp) alone.
//
// What comes in: a kernel with a plan, and the Shape of packets. What goes out:
// nanoseconds and instructions a packet, by the kernel's own test run, and beside it
// those of a program that only says "send".
//
// It never attaches anything. Start reading at Meter.
package cost
