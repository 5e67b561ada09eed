// Package limit counts requests by a key: how often they came, and how many are
// under way.
//
// What comes in: the hash of a key, and for rates the time. What goes out:
// whether there is room for the request, and how much is left. All memory is
// bounded, and no key of a client is kept, only its hash.
//
// It reads no clock; times are counted from an instant of the caller's choice.
// Start reading at Buckets; Seats stands alone.
package limit

import (
	"math/bits"
	"sync"
	"time"

	"portico/internal/bucket"
)

const (
	// shardsMax is into how many parts buckets are divided, each with its lock.
	shardsMax = 64
	// ways is how many places a key may be kept in. Sets of them are looked
	// through, so more cost time and fewer make keys push each other out sooner.
	ways = 16
	// spare is how many places there are for each key that is promised one: with
	// twice as many, sets are seldom full before all are.
	spare = 2
)

// Buckets holds the bucket of each key in memory of a fixed size. Its methods are
// safe for use by several goroutines.
//
// A full bucket needs no place. When all places of a set hold buckets that are
// not full, the one that is full soonest gives way: what is forgotten is the least
// that can be. To have the bucket of a key forgotten that was used n times, about
// as many keys as there are places must be used n times.
type Buckets struct {
	rate   bucket.Rate
	sets   uint64 // in each shard
	shards [shardsMax]shard
}

type shard struct {
	mu      sync.Mutex // guards what follows
	places  []place
	evicted uint64
	_       [64]byte // the next lock is on another cache line
}

// place holds one bucket, or none where key is 0.
type place struct {
	key  uint64
	full time.Duration
}

// NewBuckets returns full buckets for at least that many keys.
func NewBuckets(r bucket.Rate, keys int) *Buckets {
	sets := (max(keys, 1)*spare + shardsMax*ways - 1) / (shardsMax * ways)
	b := &Buckets{rate: r, sets: uint64(sets)}
	for i := range b.shards {
		b.shards[i].places = make([]place, sets*ways)
	}
	return b
}

// Take decides about a request of a key, and takes it off the bucket if it may
// come. Keys are evenly spread hashes. Times are counted from any one instant that
// is not after them.
func (b *Buckets) Take(key uint64, now time.Duration) bucket.Answer {
	key, now = named(key), max(now, 0)
	s := &b.shards[key%shardsMax]
	s.mu.Lock()
	defer s.mu.Unlock()
	set := b.set(s, key)
	p := find(set, key)
	if p == nil {
		full, a := b.rate.Step(0, now)
		if !a.OK {
			return a
		}
		p = oldest(set)
		if p.key != 0 && p.full > now {
			s.evicted++
		}
		*p = place{key, full}
		return a
	}
	var a bucket.Answer
	p.full, a = b.rate.Step(p.full, now)
	return a
}

// Peek says what Take would, and takes nothing.
func (b *Buckets) Peek(key uint64, now time.Duration) bucket.Answer {
	key, now = named(key), max(now, 0)
	s := &b.shards[key%shardsMax]
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := find(b.set(s, key), key); p != nil {
		return b.rate.Peek(p.full, now)
	}
	return b.rate.Peek(0, now)
}

// named is a key that is not mistaken for an empty place.
func named(key uint64) uint64 { return max(key, 1) }

// set is the places that a key may be in.
func (b *Buckets) set(s *shard, key uint64) []place {
	i, _ := bits.Mul64(key, b.sets) // by the high bits; the low ones chose the shard
	return s.places[i*ways : i*ways+ways]
}

func find(set []place, key uint64) *place {
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
	}
	return nil
}

// oldest is the place whose bucket is full soonest, or has been for longest.
func oldest(set []place) *place {
	p := &set[0]
	for i := range set {
		if set[i].key == 0 {
			return &set[i]
		}
		if set[i].full < p.full {
			p = &set[i]
		}
	}
	return p
}

// Stats counts what buckets hold.
type Stats struct {
	Keys    int    // that are not full
	KeysMax int    // places for them
	Evicted uint64 // that gave way before they were full
}

// Stats counts the buckets that are not full now.
func (b *Buckets) Stats(now time.Duration) Stats {
	var st Stats
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		for _, p := range s.places {
			if p.key != 0 && p.full > now {
				st.Keys++
			}
		}
		st.KeysMax += len(s.places)
		st.Evicted += s.evicted
		s.mu.Unlock()
	}
	return st
}
