package relay

import (
	"sync"
	"sync/atomic"
)

// flows is the flow table: every open flow of the relay, in shards so that many
// accept loops and a sweep over a million flows do not wait for each other.
type flows struct {
	count  atomic.Int64
	some   chan struct{} // holds one when the first flow came
	next   atomic.Uint32
	shards [flowShards]flowShard
}

const flowShards = 32

type flowShard struct {
	mu  sync.Mutex
	all map[*flow]struct{}
}

func (fs *flows) init() {
	fs.some = make(chan struct{}, 1)
	for i := range fs.shards {
		fs.shards[i].all = map[*flow]struct{}{}
	}
}

// add registers f, unless there are as many as there may be.
func (fs *flows) add(f *flow, most int64) bool {
	n := fs.count.Add(1)
	if n > most {
		fs.count.Add(-1)
		return false
	}
	if n == 1 {
		select {
		case fs.some <- struct{}{}:
		default:
		}
	}
	f.shard = &fs.shards[fs.next.Add(1)%flowShards]
	f.shard.mu.Lock()
	f.shard.all[f] = struct{}{}
	f.shard.mu.Unlock()
	return true
}

func (fs *flows) remove(f *flow) {
	f.shard.mu.Lock()
	delete(f.shard.all, f)
	f.shard.mu.Unlock()
	fs.count.Add(-1)
}

// each calls do with every flow, under the lock of its shard: do must not wait.
func (fs *flows) each(do func(*flow)) {
	for i := range fs.shards {
		s := &fs.shards[i]
		s.mu.Lock()
		for f := range s.all {
			do(f)
		}
		s.mu.Unlock()
	}
}
