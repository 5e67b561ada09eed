package transport

import (
	"maps"
	"sync"
	"sync/atomic"
)

// memo remembers what was made for a key. Reading takes no lock: what is new
// makes a new map, which happens seldom beside the handshake that follows.
type memo[K comparable, V any] struct {
	mu      sync.Mutex // held while a map is replaced
	current atomic.Pointer[map[K]V]
}

// all is what is remembered now; it must not be changed.
func (m *memo[K, V]) all() map[K]V {
	if now := m.current.Load(); now != nil {
		return *now
	}
	return nil
}

// get returns what was made for a key, and makes it the first time. When there
// are most of them it forgets all first.
func (m *memo[K, V]) get(most int, key K, create func(K) V) V {
	if v, ok := m.all()[key]; ok {
		return v
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.all()
	if v, ok := next[key]; ok {
		return v
	}
	if len(next) >= most {
		next = nil
	}
	next = maps.Clone(next)
	if next == nil {
		next = map[K]V{}
	}
	v := create(key)
	next[key] = v
	m.current.Store(&next)
	return v
}
