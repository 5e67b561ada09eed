package node

import (
	"time"

	"portico/spec"
	"portico/vip/pool"
)

// keptPools is the name under which a node remembers what pools gave.
const keptPools = "pools"

// fill gives VIPs their addresses of pools.
func (n *Node) fill(want *spec.Spec) (*spec.Spec, pool.Held, spec.Problems) {
	filled, held, problems := pool.Assign(want, *n.pools.Load())
	return filled, held, problems
}

// remember keeps what pools gave, for specs to come and for the next process.
func (n *Node) remember(held pool.Held) {
	before := *n.pools.Load()
	n.pools.Store(&held)
	if n.kept == nil || len(held) == 0 && len(before) == 0 {
		return
	}
	if err := n.kept.Save(keptPools, held); err != nil {
		n.log.Error("addresses of pools not remembered", "error", err)
	}
}

// recall reads what a process before this one remembered.
func (n *Node) recall() {
	held := pool.Held{}
	if n.kept != nil {
		if _, err := n.kept.Load(n.name, keptPools, time.Time{}, &held); err != nil {
			n.log.Error("addresses of pools forgotten", "error", err)
			held = pool.Held{}
		}
	}
	n.pools.Store(&held)
}
