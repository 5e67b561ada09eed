package xdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"portico/internal/capability"
)

// whyNot makes a clear no of the kernel an Unsupported, and leaves what is not
// clear as it is.
func whyNot(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) && !errors.As(err, &verifier):
		needs := "a kernel that lets this process use BPF"
		if lacks := capability.XDP.Missing(); lacks != 0 {
			needs = lacks.String() + " (" + lacks.Grant() + ")"
		}
		return &Unsupported{Feature: "datapath xdp", Needs: needs, Err: err}
	case errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.ENOSYS):
		return &Unsupported{Feature: "datapath xdp", Needs: "a newer kernel (Linux 5.15 has all)", Err: err}
	}
	return fmt.Errorf("xdp: load: %w", err)
}

// Able reports whether this process may and can carry flows in the kernel, by
// loading the program with room for nothing. The error is errors.ErrUnsupported for a clear no.
func Able() error {
	k, err := Open(KernelOptions{Flows: 1})
	if err != nil {
		return err
	}
	return k.Close()
}
