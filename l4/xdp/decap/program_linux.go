package decap

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"portico/internal/capability"
)

// layout is the version of the maps that are pinned. Raise it when a key or value
// changes its shape: the program of the process before then keeps maps of its own
// until ours takes its place.
const layout = "decap-v2"

// program is the program in the kernel, pinned so that it outlives this process.
type program struct {
	programObjects
	pins string // folder of this layout
	link link.Link
}

// openProgram loads the program with the maps that an earlier process pinned, or
// new ones. It sees no packet yet. The caller closes it.
func openProgram(pins string) (*program, error) {
	if err := checkPins(pins); err != nil {
		return nil, err
	}
	spec, err := loadProgram()
	if err != nil {
		return nil, err
	}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinByName
	}
	p := &program{pins: filepath.Join(pins, layout)}
	if err := os.MkdirAll(p.pins, 0o700); err != nil {
		return nil, err
	}
	err = spec.LoadAndAssign(&p.programObjects, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.pins}})
	if err != nil {
		return nil, explainLoad(err)
	}
	return p, nil
}

// checkPins looks whether there is a file system for what is to outlive us.
func checkPins(pins string) error {
	at := pins
	for {
		var fs unix.Statfs_t
		err := unix.Statfs(at, &fs)
		if err == nil && fs.Type == unix.BPF_FS_MAGIC {
			return nil
		}
		if !errors.Is(err, unix.ENOENT) || at == "/" {
			return fmt.Errorf("%s is not in a BPF file system; mount -t bpf bpf /sys/fs/bpf", pins)
		}
		at = filepath.Dir(at)
	}
}

// explainLoad says what a kernel that refuses the program lacks. The error is
// errors.ErrUnsupported where that is a clear no.
func explainLoad(err error) error {
	switch {
	case isVerifier(err) || errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("load the program: this kernel lacks what it needs, socket lookup for XDP (Linux 5.2): %w: %w", errors.ErrUnsupported, err)
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		needs := "it takes a kernel that lets this process use BPF"
		if lacks := capability.XDP.Missing(); lacks != 0 {
			needs = fmt.Sprintf("it takes %s; %s", lacks, lacks.Grant())
		}
		return fmt.Errorf("load the program: %s: %w: %w", needs, errors.ErrUnsupported, unix.EPERM)
	}
	return fmt.Errorf("load the program: %w", err)
}

func isVerifier(err error) bool {
	var v *ebpf.VerifierError
	return errors.As(err, &v)
}

// fill makes the maps hold what a plan says. What stays is never missing meanwhile.
func (p *program) fill(nodes map[netip.Addr]programNode, vips []netip.Addr) error {
	held := map[netip.Addr]uint32{}
	for _, v := range vips {
		held[v] = 1
	}
	return errors.Join(mirror(p.Nodes, nodes), mirror(p.Vips, held))
}

// set tells the program what it goes by when it answers SYNs.
func (p *program) set(s programSettings) error {
	if err := p.Settings.Put(uint32(0), s); err != nil {
		return fmt.Errorf("map %s: %w", p.Settings, err)
	}
	return nil
}

// mirror makes a map of addresses hold exactly what is wanted.
func mirror[V any](m *ebpf.Map, want map[netip.Addr]V) error {
	keep := map[[16]byte]bool{}
	for a, v := range want {
		key := a.As16() // IPv4 mapped, as the program has it
		keep[key] = true
		if err := m.Put(key, v); err != nil {
			return fmt.Errorf("map %s: %w", m, err)
		}
	}
	var gone [][16]byte
	var key [16]byte
	var value V
	for all := m.Iterate(); all.Next(&key, &value); {
		if !keep[key] {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("map %s: %w", m, err)
		}
	}
	return nil
}

// attach has the program see the packets of an interface, instead of the one of
// an earlier process, without a packet between that neither sees.
func (p *program) attach(ifindex int) error {
	if err := p.adopt(ifindex); err != nil {
		return err
	}
	if p.link == nil {
		l, err := link.AttachXDP(link.XDPOptions{Program: p.PorticoDecap, Interface: ifindex})
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
			return errors.New("the interface has an XDP program of someone else; detach that, or name another interface for the node")
		}
		if err != nil { // by a driver that cannot, or not with this MTU
			l, err = link.AttachXDP(link.XDPOptions{Program: p.PorticoDecap, Interface: ifindex, Flags: link.XDPGenericMode})
		}
		if err != nil {
			return fmt.Errorf("attach the program: %w", err)
		}
		if err := l.Pin(filepath.Join(p.pins, linkPin)); err != nil {
			return errors.Join(fmt.Errorf("pin the program: %w", err), l.Close())
		}
		p.link = l
	}
	return removeOthers(filepath.Dir(p.pins), layout)
}

// yield takes the program off the interface that it or an earlier one is attached
// to, for a balancer that will be there.
func (p *program) yield(int) error {
	return errors.Join(p.adopt(nowhere), removeOthers(filepath.Dir(p.pins), layout))
}

// nowhere is the index of no interface.
const nowhere = -1

const linkPin = "link"

// adopt takes over the link of an earlier process, of whatever layout, when it is
// on this interface; on another it goes.
func (p *program) adopt(ifindex int) error {
	if p.link != nil {
		if isOn(p.link, ifindex) {
			return nil
		}
		err := p.link.Close() // its pin goes below
		if p.link = nil; err != nil {
			return err
		}
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(p.pins), "decap-*", linkPin))
	if err != nil {
		return err
	}
	for _, pin := range found {
		l, err := link.LoadPinnedLink(pin, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", pin, err)
		}
		if p.link == nil && isOn(l, ifindex) {
			if err := l.Update(p.PorticoDecap); err != nil {
				return errors.Join(fmt.Errorf("%s: take over: %w", pin, err), l.Close())
			}
			if err := l.Pin(filepath.Join(p.pins, linkPin)); err != nil { // moves it
				return errors.Join(err, l.Close())
			}
			p.link = l
			continue
		}
		if err := errors.Join(l.Unpin(), l.Close()); err != nil {
			return err
		}
	}
	return nil
}

// isOn reports whether a link is attached to an interface.
func isOn(l link.Link, ifindex int) bool {
	info, err := l.Info()
	if err != nil || info.XDP() == nil {
		return false
	}
	return int64(info.XDP().Ifindex) == int64(ifindex)
}

// removeOthers removes what is pinned of other layouts than one; "" means of all.
func removeOthers(pins, keep string) error {
	entries, err := os.ReadDir(pins)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // who may not look has pinned nothing
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "decap-") && e.Name() != keep {
			err = errors.Join(err, os.RemoveAll(filepath.Join(pins, e.Name())))
		}
	}
	if keep == "" {
		err = errors.Join(err, os.Remove(pins))
		_ = os.Remove(filepath.Dir(pins)) // the node's, unless more of it is there
	}
	return err
}

// close lets go of the program; it goes on as long as it is pinned.
func (p *program) close() error {
	err := p.Close()
	if p.link != nil {
		err = errors.Join(err, p.link.Close())
	}
	return err
}

// read is what became of packets so far, by result.
func (p *program) read() (map[string]uint64, error) {
	now := map[string]uint64{}
	for i, name := range results() {
		var perCPU []uint64
		if err := p.Results.Lookup(uint32(i), &perCPU); err != nil {
			return nil, err
		}
		for _, n := range perCPU {
			now[name] += n
		}
	}
	return now, nil
}
