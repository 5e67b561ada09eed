package capability

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Set is a set of capabilities, each bit the one with its number in the kernel
// (capabilities(7)).
type Set uint64

// The capabilities that Portico has a use for.
const (
	DACReadSearch  Set = 1 << 2  // read files of other users, which root may
	NetBindService Set = 1 << 10 // bind ports below 1024
	NetAdmin       Set = 1 << 12 // addresses, neighbors, interfaces, their settings
	NetRaw         Set = 1 << 13 // read and write ARP and NDP
	SysAdmin       Set = 1 << 21 // mount; on kernels before 5.8 also BPF and Perfmon
	Perfmon        Set = 1 << 38 // programs that read clocks and compute with pointers
	BPF            Set = 1 << 39 // load programs and make maps
)

// XDP is what it takes to load programs for packets, to attach and to measure them.
const XDP = NetAdmin | BPF | Perfmon

var names = []struct {
	one  Set
	name string
}{
	{DACReadSearch, "CAP_DAC_READ_SEARCH"},
	{NetBindService, "CAP_NET_BIND_SERVICE"},
	{NetAdmin, "CAP_NET_ADMIN"},
	{NetRaw, "CAP_NET_RAW"},
	{SysAdmin, "CAP_SYS_ADMIN"},
	{Perfmon, "CAP_PERFMON"},
	{BPF, "CAP_BPF"},
}

// openPort is the first port that is anybody's, where the machine was not told otherwise.
const openPort = 1024

// String is the names that Portico knows, such as CAP_NET_ADMIN, CAP_NET_RAW; the
// others are counted.
func (s Set) String() string {
	var all []string
	for _, n := range names {
		if s&n.one != 0 {
			all = append(all, n.name)
			s &^= n.one
		}
	}
	others := 0
	for ; s != 0; s &= s - 1 {
		others++
	}
	if others > 0 {
		all = append(all, fmt.Sprintf("%d others", others))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// Missing is what of a set the process lacks. CAP_SYS_ADMIN stands for BPF and
// Perfmon, which were split off from it.
func (s Set) Missing() Set {
	has := Have()
	if has&SysAdmin != 0 {
		has |= BPF | Perfmon
	}
	return s &^ has
}

// Grant says how the process gets the capabilities of a set. To a process of root
// that lacks them, as in a container, other advice is due than to one of a user.
func (s Set) Grant() string {
	if os.Geteuid() == 0 {
		return fmt.Sprintf("root lacks %s here: grant it to the container (docker run --cap-add, securityContext.capabilities.add) or unit (CapabilityBoundingSet)", s)
	}
	file := strings.ToLower(strings.ReplaceAll(s.String(), ", ", ","))
	return fmt.Sprintf("run as root, or grant the binary the capability (setcap %s=+ep)", file)
}

// Advise adds Grant to an error that says that something is not permitted.
func (s Set) Advise(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; %s", err, s.Grant())
	}
	return err
}
