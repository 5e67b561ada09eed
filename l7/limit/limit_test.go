package limit_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"portico/internal/bucket"
	"portico/l7/limit"
)

// spread makes a key of a number, as a hash would.
func spread(n uint64) uint64 {
	z := n + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// While there are places enough, the buckets of many keys are each as if alone.
func TestBucketsAgreeWithModel(t *testing.T) {
	r := bucket.NewRate(5, time.Second, 4)
	b := limit.NewBuckets(r, 4000)
	model := map[uint64]time.Duration{}
	rnd := rand.New(rand.NewPCG(1, 2))
	var now time.Duration
	for range 50_000 {
		now += time.Duration(rnd.IntN(int(2 * time.Millisecond)))
		key := spread(uint64(rnd.IntN(400)))
		if got, want := b.Peek(key, now), r.Peek(model[key], now); got != want {
			t.Fatalf("Peek = %+v, want %+v", got, want)
		}
		var want bucket.Answer
		model[key], want = r.Step(model[key], now)
		if got := b.Take(key, now); got != want {
			t.Fatalf("at %v: Take = %+v, want %+v", now, got, want)
		}
	}
	if st := b.Stats(now); st.Evicted != 0 || st.Keys == 0 || st.Keys > 400 || st.KeysMax < 4000 {
		t.Errorf("stats %+v", st)
	}
	if st := b.Stats(now + time.Minute); st.Keys != 0 {
		t.Errorf("after a minute %d buckets are not full", st.Keys)
	}
}

// TestBucketsUnderAttack proves that a flood of made-up keys does not give a client
// back what it has used up: neither its own nor anyone's.
func TestBucketsUnderAttack(t *testing.T) {
	r := bucket.NewRate(60, time.Minute, 60)
	b := limit.NewBuckets(r, 1000)
	var now time.Duration
	heavy := spread(1 << 40)
	for b.Take(heavy, now).OK {
	}
	for i := range uint64(50_000) { // fifty keys for each place that was promised
		now += 10 * time.Microsecond
		b.Take(spread(i), now)
	}
	if b.Take(heavy, now).OK {
		t.Error("a flood of keys reset the bucket of a client that had used it up")
	}
	if st := b.Stats(now); st.Evicted == 0 || st.Keys > st.KeysMax {
		t.Errorf("stats %+v", st)
	}
	// Nor does memory that is full of buckets refuse a client that is new.
	if !b.Take(spread(1<<41), now).OK {
		t.Error("a new client is refused because of others")
	}
}

// The key 0 is a key as any other.
func TestBucketsZeroKey(t *testing.T) {
	b := limit.NewBuckets(bucket.NewRate(1, time.Second, 1), 1)
	if !b.Take(0, 0).OK || b.Take(0, 0).OK || !b.Take(0, time.Second).OK {
		t.Error("the key 0 is not limited as others are")
	}
}

// Many at once pass as many as one after the other.
func TestBucketsConcurrent(t *testing.T) {
	b := limit.NewBuckets(bucket.NewRate(1, time.Hour, 100), 100)
	passed := make([]int, 8)
	var all sync.WaitGroup
	for i := range passed {
		all.Go(func() {
			for range 50 {
				for k := range uint64(4) {
					if b.Take(spread(k), time.Second).OK {
						passed[i]++
					}
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range passed {
		sum += n
	}
	if sum != 4*100 {
		t.Errorf("%d passed, want %d", sum, 4*100)
	}
}

// A step of a bucket allocates nothing.
func TestAllocates(t *testing.T) {
	b := limit.NewBuckets(bucket.NewRate(5, time.Second, 4), 1000)
	s := limit.NewSeats(2)
	s.Take(1, false)
	var n uint64
	if got := testing.AllocsPerRun(1000, func() {
		n++
		b.Take(spread(n%2000), time.Duration(n)*time.Millisecond)
		b.Peek(spread(n), time.Duration(n)*time.Millisecond)
		s.Take(n%4, false)
		s.Give(n % 4)
	}); got > 0 {
		t.Errorf("a step allocates %v times", got)
	}
}

// A seat is there until all are taken, and again when one is given back; those
// that are forced are counted above the limit.
func TestSeats(t *testing.T) {
	s := limit.NewSeats(2)
	take := func(key uint64, force bool, wantTaken int, wantFree bool) {
		t.Helper()
		if taken, free := s.Take(key, force); taken != wantTaken || free != wantFree {
			t.Errorf("Take(%d, %v) = %d, %v, want %d, %v", key, force, taken, free, wantTaken, wantFree)
		}
	}
	take(1, false, 1, true)
	take(1, false, 2, true)
	take(1, false, 2, false)
	take(2, false, 1, true)
	take(1, true, 3, false)
	s.Give(1)
	take(1, false, 2, false)
	s.Give(1)
	take(1, false, 2, true)
	if s.Taken(1) != 2 || s.Taken(2) != 1 || s.Taken(3) != 0 || s.Stats() != 2 {
		t.Errorf("taken %d, %d, %d of %d keys", s.Taken(1), s.Taken(2), s.Taken(3), s.Stats())
	}
	s.Give(1)
	s.Give(1)
	s.Give(2)
	if s.Stats() != 0 {
		t.Errorf("%d keys are left when every seat was given back", s.Stats())
	}
}

// Whatever order seats are taken and given back in, never more than the limit
// are taken, and none is left in the end.
func TestSeatsConcurrent(t *testing.T) {
	s := limit.NewSeats(3)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range 2000 {
				key := uint64(rnd.IntN(3))
				if taken, free := s.Take(key, false); free {
					if taken > 3 {
						t.Errorf("%d seats of 3 are taken", taken)
					}
					s.Give(key)
				}
			}
		})
	}
	all.Wait()
	if s.Stats() != 0 {
		t.Errorf("%d keys are left", s.Stats())
	}
}

func BenchmarkTake(b *testing.B) {
	for name, keys := range map[string]uint64{"one key": 1, "50000 keys": 50_000} {
		b.Run(name, func(b *testing.B) {
			buckets := limit.NewBuckets(bucket.NewRate(1000, time.Second, 1000), 50_000)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				buckets.Take(spread(i%keys), time.Duration(i)*time.Microsecond)
			}
		})
	}
}
