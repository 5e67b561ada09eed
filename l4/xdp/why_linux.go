package xdp

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// whyNot makes a clear no of the kernel an Unsupported, and leaves what is not
// clear as it is.
func whyNot(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) && !errors.As(err, &verifier):
		needs := missing()
		if len(needs) == 0 {
			needs = []string{"a kernel that lets this process use BPF"}
		}
		return &Unsupported{Feature: "datapath xdp", Needs: strings.Join(needs, ", "), Err: err}
	case errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.ENOSYS):
		return &Unsupported{Feature: "datapath xdp", Needs: "a newer kernel (Linux 5.15 has all)", Err: err}
	}
	return fmt.Errorf("xdp: load: %w", err)
}

// capabilities are what loading, attaching and measuring need.
var capabilities = [...]struct {
	bit  int
	name string
}{
	{unix.CAP_BPF, "CAP_BPF"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{unix.CAP_PERFMON, "CAP_PERFMON"},
}

// missing names the capabilities that the process lacks. CAP_SYS_ADMIN stands for
// all but one.
func missing() []string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	var has uint64
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			has, _ = strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		}
	}
	admin := has&(1<<unix.CAP_SYS_ADMIN) != 0
	var lacks []string
	for _, c := range capabilities {
		if has&(1<<c.bit) == 0 && (c.bit == unix.CAP_NET_ADMIN || !admin) {
			lacks = append(lacks, c.name)
		}
	}
	return lacks
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
