package xdp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// bpffs is where Linux expects its BPF file system.
const bpffs = "/sys/fs/bpf"

// makePins makes a folder for pins. Where the BPF file system of the machine is not
// mounted, as in a namespace with a /sys of its own, it is.
func makePins(folder string) error {
	if is, err := onBPF(folder); errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("pins: %w; have this user own %s, and let it pass there (chmod 711 %s)", err, filepath.Dir(filepath.Dir(folder)), bpffs)
	} else if err != nil {
		return err
	} else if !is {
		if !strings.HasPrefix(folder, bpffs+"/") {
			return &Unsupported{Feature: "datapath xdp", Needs: fmt.Sprintf("a BPF file system at %s (mount -t bpf bpf …)", folder)}
		}
		if err := unix.Mount("bpf", bpffs, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return &Unsupported{Feature: "datapath xdp", Needs: "a BPF file system: mount -t bpf bpf " + bpffs, Err: err}
		}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return whyNot(fmt.Errorf("pins: %w", err))
	}
	return nil
}

// onBPF reports whether a folder, or the first above it that is there, is on a BPF
// file system.
func onBPF(folder string) (bool, error) {
	for {
		var s unix.Statfs_t
		err := unix.Statfs(folder, &s)
		if err == nil {
			return s.Type == unix.BPF_FS_MAGIC, nil
		}
		up := filepath.Dir(folder)
		if err != unix.ENOENT || up == folder {
			return false, &os.PathError{Op: "statfs", Path: folder, Err: err}
		}
		folder = up
	}
}
