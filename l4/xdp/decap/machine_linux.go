package decap

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// machine is what is changed on this machine, and how it is put back.
type machine struct {
	pins   string // folder of what is pinned
	record string // file of what was changed; "" keeps that for this process alone

	change  *record         // what was changed; nil: not read yet
	links   *netlink.Handle // of the network namespace that this was used in first
	program *program        // nil: not loaded
	// What the program was told last.
	nodes map[netip.Addr]programNode
	vips  []netip.Addr
	// settings are those of a program that answers SYNs.
	settings programSettings
	on       device
}

// device is the interface that packets come in by.
type device struct {
	index int
	name  string
	mtu   int
	// balanced says that the balancer of this node sees its packets first.
	balanced bool
}

// Able reports why this machine cannot unwrap packets for this process; nil when
// it can, errors.ErrUnsupported when it clearly cannot. It changes nothing.
func Able() error {
	spec, err := loadProgram()
	if err != nil {
		return err
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		return explainLoad(err)
	}
	c.Close()
	return nil
}

// open opens netlink, once.
func (m *machine) open() error {
	if m.links != nil {
		return nil
	}
	links, err := netlink.NewHandle()
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	m.links = links
	return nil
}

// find is the interface that a plan names, or else the one with the node's address,
// which is where a balancer is unless it has uplinks: then it is the first of these.
func (m *machine) find(p *plan) (device, error) {
	if err := m.open(); err != nil {
		return device{}, err
	}
	if p.shared && len(p.uplinks) > 0 {
		return m.uplink(p)
	}
	own, err := m.owner(p.address)
	if p.device == "" {
		own.balanced = p.shared
		return own, err
	}
	link, err := m.links.LinkByName(p.device)
	if err != nil {
		return device{}, fmt.Errorf("interface %q: %w", p.device, err)
	}
	named := deviceOf(link)
	named.balanced = p.shared && named == own
	return named, nil
}

// uplink is the interface of a node whose balancer has uplinks.
func (m *machine) uplink(p *plan) (device, error) {
	names := p.uplinks
	if p.device != "" {
		names = []string{p.device}
	}
	var failed error
	for _, name := range names {
		link, err := m.links.LinkByName(name)
		if err == nil {
			on := deviceOf(link)
			on.balanced = slices.Contains(p.uplinks, name)
			return on, nil
		}
		failed = errors.Join(failed, fmt.Errorf("interface %q: %w", name, err))
	}
	return device{}, failed
}

// owner is the interface with an address.
func (m *machine) owner(of netip.Addr) (device, error) {
	addresses, err := again(func() ([]netlink.Addr, error) { return m.links.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return device{}, fmt.Errorf("addresses: %w", err)
	}
	i := slices.IndexFunc(addresses, func(a netlink.Addr) bool {
		at, _ := netip.AddrFromSlice(a.IP)
		return at.Unmap() == of
	})
	if i < 0 {
		return device{}, fmt.Errorf("no interface has the node's address %s; add it, or name the node's interface", of)
	}
	link, err := m.links.LinkByIndex(addresses[i].LinkIndex)
	if err != nil {
		return device{}, fmt.Errorf("interface of %s: %w", of, err)
	}
	return deviceOf(link), nil
}

func deviceOf(l netlink.Link) device {
	return device{index: l.Attrs().Index, name: l.Attrs().Name, mtu: l.Attrs().MTU}
}

// take makes the machine as a plan says. The program comes first, so that no VIP
// is held before the packets for it are looked at; then silence, then the VIPs. It
// may be called often: what is as it should be is left alone.
func (m *machine) take(p *plan, on device) error {
	if m.program == nil {
		program, err := openProgram(m.pins)
		if err != nil {
			return err
		}
		m.program = program
	}
	nodes, err := m.hops(p)
	if err != nil {
		return err
	}
	if !maps.Equal(nodes, m.nodes) || !slices.Equal(p.vips, m.vips) {
		if err := m.program.fill(nodes, p.vips); err != nil {
			return err
		}
		m.nodes, m.vips = nodes, slices.Clone(p.vips)
	}
	room := on.mtu - p.overhead
	settings := programSettings{
		Calm: p.calm,
		Mss4: uint32(segmentMax(room, netip.IPv4Unspecified())),
		Mss6: uint32(segmentMax(room, netip.IPv6Unspecified())),
	}
	if settings != m.settings {
		if err := m.program.set(settings); err != nil {
			return err
		}
		m.settings = settings
	}
	if m.on != on {
		attach := m.program.attach
		if on.balanced {
			attach = m.program.yield
		}
		if err := attach(on.index); err != nil {
			return fmt.Errorf("interface %s: %w", on.name, err)
		}
		m.on = on
	}
	r, err := m.changed()
	if err != nil {
		return err
	}
	if err := r.loud(func(file string) bool { return isOf(file, on.name) }); err != nil {
		return err
	}
	if err := r.quiet(on.name); err != nil {
		return err
	}
	return r.hold(m.links, p.vips)
}

// restore puts everything back that this or a killed process changed.
func (m *machine) restore() error {
	r, err := m.changed()
	if err != nil {
		return err
	}
	if len(r.VIPs) > 0 {
		err = errors.Join(m.open(), r.hold(m.links, nil))
	}
	return errors.Join(err, r.loud(func(string) bool { return false }), removeOthers(m.pins, ""), m.close())
}

// close lets go of what is open, and changes nothing on the machine.
func (m *machine) close() error {
	var err error
	if m.program != nil {
		err = errors.Join(err, m.program.close())
		m.program, m.nodes, m.vips, m.settings, m.on = nil, nil, nil, programSettings{}, device{}
	}
	if m.links != nil {
		m.links.Close()
		m.links = nil
	}
	return err
}

// changed is what this or an earlier process changed on the machine.
func (m *machine) changed() (*record, error) {
	if m.change == nil {
		r, err := readRecord(m.record)
		if err != nil {
			return nil, err
		}
		m.change = r
	}
	return m.change, nil
}

// where is the interface that packets come in by.
func (m *machine) where() string { return m.on.name }

// next is the program, where a balancer is to hand packets to it.
func (m *machine) next() *ebpf.Program {
	if m.program == nil || !m.on.balanced {
		return nil
	}
	return m.program.PorticoDecap
}

// counts reads the program's counters; nil without one.
func (m *machine) counts() (map[string]uint64, error) {
	if m.program == nil {
		return nil, nil
	}
	return m.program.read()
}
