package xdp

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
)

// layout numbers the shapes that maps have had. It rises with every change of a
// key, a value or a meaning in bpf/maps.h or bpf/count.h.
const layout = 4

// What flow tables have room for unless told otherwise.
const (
	flowsDefault = 1_000_000
	// For each flow, NAT takes entries of its own. A quarter keeps their memory
	// within that of the flow table.
	natShare = 4
	// IPv6 takes twice the bytes of IPv4, and has fewer flows still.
	v6Share = 2
)

// KernelOptions are what Open needs.
type KernelOptions struct {
	// Pins is the folder for this node's maps and links, on a BPF file system. ""
	// pins nothing: all ends with Close.
	Pins string
	// Flows is how many flows of IPv4 are remembered; half as many of IPv6. 0
	// means a million.
	Flows int
	// Log takes changes of state. Nil discards.
	Log *slog.Logger
}

// Kernel is the balancer in the kernel: its maps and its program. Its methods may
// be called from several goroutines.
type Kernel struct {
	o       KernelOptions
	folder  string // of maps; "" when not pinned
	objects balancerObjects
	adopted bool

	mu        sync.Mutex // guards what follows
	targets   *ids[address]
	listeners *ids[string]
	tables    map[string]uint64 // a hash of each listener's table as written
	links     map[string]*uplink
	config    balancerConfig // of the last Apply, without uplinks

	// What counters are of, as of the last Apply. Who reads them does not wait for the
	// next: mapped is held for reading meanwhile, and to close the maps.
	counted atomic.Pointer[counted]
	mapped  sync.RWMutex
	closed  bool // changed with mu and mapped held, read with either
}

// Open loads the program. Maps that are pinned in the right shape are taken over
// as they are; of those in another shape, what still fits is copied, and they stay
// until Attach has put the new program in place. The error is errors.ErrUnsupported where
// the system clearly cannot or may not.
func Open(o KernelOptions) (*Kernel, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Flows == 0 {
		o.Flows = flowsDefault
	}
	k := &Kernel{o: o, tables: map[string]uint64{}, links: map[string]*uplink{}}
	options := ebpf.CollectionOptions{}
	if o.Pins != "" {
		k.folder = filepath.Join(o.Pins, fmt.Sprintf("layout-%d-%d", layout, o.Flows))
		if _, err := os.Stat(k.folder); err == nil {
			k.adopted = true
		}
		if err := makePins(k.folder); err != nil {
			return nil, err
		}
		options.Maps.PinPath = k.folder
	}
	if err := k.load(options); err != nil {
		return nil, err
	}
	if err := k.recall(); err != nil {
		_ = k.Close()
		return nil, err
	}
	k.count()
	return k, nil
}

func (k *Kernel) load(options ebpf.CollectionOptions) error {
	loaded, err := loadBalancer()
	if err != nil {
		return fmt.Errorf("xdp: read the program: %w", err)
	}
	size(loaded, k.o.Flows)
	if k.folder != "" {
		for _, m := range loaded.Maps {
			m.Pinning = ebpf.PinByName
		}
	}
	err = loaded.LoadAndAssign(&k.objects, &options)
	if errors.Is(err, ebpf.ErrMapIncompatible) {
		return fmt.Errorf("xdp: maps pinned in %s are not what their name says; remove the folder: %w", k.folder, err)
	}
	return whyNot(err)
}

// size gives the maps their room.
func size(loaded *ebpf.CollectionSpec, flows int) {
	for name, entries := range map[string]int{
		balancerMapVips:            VIPsMax,
		balancerMapTargets:         TargetsMax,
		balancerMapTables:          ListenersMax,
		balancerMapFlows4:          flows,
		balancerMapFlows6:          max(flows/v6Share, 1),
		balancerMapNats4:           max(flows/natShare, 1),
		balancerMapBacks4:          max(flows/natShare, 1),
		balancerMapNats6:           max(flows/natShare/v6Share, 1),
		balancerMapBacks6:          max(flows/natShare/v6Share, 1),
		balancerMapQuicIds:         QUICMax,
		balancerMapEvents:          ListenersMax << eventsShift,
		balancerMapListenerTraffic: ListenersMax,
		balancerMapTargetTraffic:   TargetsMax,
	} {
		loaded.Maps[name].MaxEntries = uint32(entries)
	}
}

// Adopted reports whether maps of an earlier process were taken over.
func (k *Kernel) Adopted() bool { return k.adopted }

// FD is the program's, for who runs it without an interface.
func (k *Kernel) FD() int { return k.objects.Balancer.FD() }

// Close lets go of maps and links. Those that are pinned go on forwarding.
func (k *Kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mapped.Lock()
	defer k.mapped.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	var err error
	for _, l := range k.links {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, k.objects.Close())
}

// Leave takes the program off its interfaces and removes every pin: nothing is
// forwarded after it. Close is still to be called.
func (k *Kernel) Leave() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	for name, l := range k.links {
		err = errors.Join(err, l.Close())
		delete(k.links, name)
	}
	if k.o.Pins != "" {
		err = errors.Join(err, os.RemoveAll(k.o.Pins))
	}
	return err
}

// others lists the folders of maps in other shapes.
func (k *Kernel) others() []string {
	if k.o.Pins == "" {
		return nil
	}
	all, _ := filepath.Glob(filepath.Join(k.o.Pins, "layout-*"))
	var others []string
	for _, f := range all {
		if f != k.folder && strings.HasPrefix(filepath.Base(f), "layout-") {
			others = append(others, f)
		}
	}
	return others
}
