package xdp

import "slices"

// ids gives numbers from 1 to names and keeps them while the names are used. Of
// the free numbers the one free for longest is given, so that what the kernel
// still remembers by a number is likely gone.
type ids[N comparable] struct {
	of   map[N]uint16
	free []uint16
}

// newIDs knows who has numbers already.
func newIDs[N comparable](largest uint16, of map[N]uint16) *ids[N] {
	x := &ids[N]{of: of}
	taken := make([]bool, int(largest)+1)
	for _, id := range of {
		taken[id] = true
	}
	for id := uint16(1); id <= largest; id++ {
		if !taken[id] {
			x.free = append(x.free, id)
		}
	}
	return x
}

// give returns the number of a name; fresh says that it had none. It is 0 when
// every number is taken.
func (x *ids[N]) give(name N) (id uint16, fresh bool) {
	if id, ok := x.of[name]; ok {
		return id, false
	}
	if len(x.free) == 0 {
		return 0, false
	}
	id = x.free[0]
	x.free = slices.Delete(x.free, 0, 1)
	x.of[name] = id
	return id, true
}

// take gives a name a certain number, unless another has it.
func (x *ids[N]) take(name N, id uint16) bool {
	if _, has := x.of[name]; has {
		return false
	}
	i := slices.Index(x.free, id)
	if i < 0 {
		return false
	}
	x.free = slices.Delete(x.free, i, i+1)
	x.of[name] = id
	return true
}

// release takes the number back.
func (x *ids[N]) release(name N) {
	if id, ok := x.of[name]; ok {
		delete(x.of, name)
		x.free = append(x.free, id)
	}
}
