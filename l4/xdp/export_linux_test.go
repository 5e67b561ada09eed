package xdp

import "github.com/cilium/ebpf"

// Run sends one packet through the program, without an interface.
func (k *Kernel) Run(packet []byte) (verdict uint32, out []byte, err error) {
	return k.objects.Balancer.Test(packet)
}

// Program is the program itself.
func (k *Kernel) Program() *ebpf.Program { return k.objects.Balancer }
