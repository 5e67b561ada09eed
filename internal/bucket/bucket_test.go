package bucket_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/internal/bucket"
	"portico/spec"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// full is a bucket that nothing was taken from.
func full(perSecond, burst int) *bucket.Bucket {
	var none *bucket.Bucket
	return none.Keep(&spec.ConnectionRate{PerSecond: perSecond, Burst: burst}, start)
}

// taken counts how many of n may come at a time.
func taken(b *bucket.Bucket, n int, at time.Time) (got int) {
	for range n {
		if b.Take(at) {
			got++
		}
	}
	return got
}

// Without a rate everything comes; with one the burst does, which is as large as
// the rate unless it is given, and then one each interval.
func TestBucket(t *testing.T) {
	var none *bucket.Bucket
	if got := taken(none, 100, start); got != 100 {
		t.Errorf("%d of 100 came without a rate", got)
	}
	if b := none.Keep(nil, start); b != nil {
		t.Errorf("Keep(nil) = %v, want none", b)
	}
	tests := []struct {
		name             string
		perSecond, burst int
		after            []time.Duration // each with ten that would come
		want             []int
	}{
		{"burst as the rate", 4, 0, []time.Duration{0, 249 * time.Millisecond, 250 * time.Millisecond}, []int{4, 0, 1}},
		{"one by one", 10, 1, []time.Duration{0, 99 * time.Millisecond, 100 * time.Millisecond, time.Hour}, []int{1, 0, 1, 1}},
		{"more at once", 1, 3, []time.Duration{0, time.Second, 3 * time.Second, time.Hour}, []int{3, 1, 2, 3}},
		{"a loop that is behind", 1, 1, []time.Duration{-time.Millisecond, 0, time.Second}, []int{1, 0, 1}},
		{"as fast as may be", 1_000_000, 5, []time.Duration{0, time.Microsecond}, []int{5, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := full(tt.perSecond, tt.burst)
			for i, after := range tt.after {
				if got := taken(b, 10, start.Add(after)); got != tt.want[i] {
					t.Errorf("at %v %d came, want %d", after, got, tt.want[i])
				}
			}
		})
	}
}

// A bucket does as one does that is filled drop by drop, with a drop each
// nanosecond.
func TestBucketAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.IntRange(1, 1000).Draw(t, "per second")
		burst := rapid.IntRange(1, 50).Draw(t, "burst")
		b := full(perSecond, burst)
		every := time.Second / time.Duration(perSecond)
		most := every * time.Duration(burst)
		drops, now, came := most, start, 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			pause := time.Duration(rapid.Int64Range(0, 3*int64(every)).Draw(t, "pause"))
			now, drops = now.Add(pause), min(drops+pause, most)
			want := drops >= every
			if want {
				drops -= every
				came++
			}
			if got := b.Take(now); got != want {
				t.Fatalf("%v after the start Take = %v, want %v", now.Sub(start), got, want)
			}
			if bound := burst + int(now.Sub(start)/every); came > bound {
				t.Fatalf("%d came in %v, at most %d may", came, now.Sub(start), bound)
			}
		}
	})
}

// Loops that take from a bucket at once, some of whose time is behind, get no more
// than it has, and all of it.
func TestBucketIsShared(t *testing.T) {
	const loops, burst = 8, 1000
	b := full(1, burst)
	var came atomic.Int64
	var wg sync.WaitGroup
	for i := range loops {
		wg.Go(func() { came.Add(int64(taken(b, burst, start.Add(-time.Duration(i)*time.Millisecond)))) })
	}
	wg.Wait()
	if n := came.Load() + int64(taken(b, burst, start)); n != burst {
		t.Errorf("%d came, want %d", n, burst)
	}
}

// What was taken stays taken while the rate is the same.
func TestKeep(t *testing.T) {
	b := full(1, 3)
	if got := taken(b, 2, start); got != 2 {
		t.Fatalf("%d came, want 2", got)
	}
	same := b.Keep(&spec.ConnectionRate{PerSecond: 1, Burst: 3}, start)
	if got := taken(same, 10, start); got != 1 {
		t.Errorf("with the same rate %d came, want the one that was left", got)
	}
	other := same.Keep(&spec.ConnectionRate{PerSecond: 1, Burst: 4}, start)
	if got := taken(other, 10, start); got != 4 {
		t.Errorf("with another rate %d came, want 4", got)
	}
	if none := other.Keep(nil, start); none != nil {
		t.Errorf("without a rate there is %v", none)
	}
}

// Taking allocates nothing.
func TestBucketAllocates(t *testing.T) {
	b := full(1_000_000, 1)
	if n := testing.AllocsPerRun(100, func() { b.Take(start) }); n != 0 {
		t.Errorf("Take allocates %v times", n)
	}
}
