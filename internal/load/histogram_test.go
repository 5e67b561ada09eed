package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBuckets proves that the buckets follow each other without a gap: each ends
// one microsecond before the next begins, up to the last.
func TestBuckets(t *testing.T) {
	for i := range bucketsMax - 1 {
		end := bucketTop(i)
		if bucket(end) != i || bucket(end+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which counts in %d, and %d in %d", i, end, bucket(end), end+1, bucket(end+1))
		}
	}
	if got := bucket(math.MaxUint64); got != bucketsMax-1 {
		t.Errorf("bucket(max) = %d, want the last, %d", got, bucketsMax-1)
	}
}

// TestQuantiles proves that every quantile is the exact one, less its rest of a
// microsecond, up to one part in 128 too high, for any durations under an hour.
func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 300).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h histogram
		for _, v := range values {
			h.record(time.Duration(v))
		}
		slices.Sort(values)
		rank := min(max(int(math.Ceil(q*float64(len(values)))), 1), len(values))
		exact := time.Duration(values[rank-1]).Truncate(time.Microsecond)
		got := h.quantile(q)
		if got < exact || got > exact+exact/buckets+time.Microsecond {
			t.Fatalf("quantile(%v) of %d values = %v, exact %v", q, len(values), got, exact)
		}
		if most := time.Duration(values[len(values)-1]); h.quantile(1) != most {
			t.Fatalf("quantile(1) = %v, want the maximum %v", h.quantile(1), most)
		}
	})
}

// TestHistogramEdges proves what nothing, a negative duration and one beyond the
// last bucket come to.
func TestHistogramEdges(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 || h.mean() != 0 {
		t.Errorf("of nothing: p50 %v, mean %v, want 0", h.quantile(0.5), h.mean())
	}
	h.record(-time.Second)
	if h.quantile(1) != 0 {
		t.Errorf("of a negative duration: max %v, want 0", h.quantile(1))
	}
	h.record(100 * time.Hour)
	if h.quantile(1) != 100*time.Hour || h.mean() != 50*time.Hour {
		t.Errorf("max %v, mean %v, want 100h and 50h", h.quantile(1), h.mean())
	}
}

func BenchmarkRecord(b *testing.B) {
	var h histogram
	for i := range b.N {
		h.record(time.Duration(i))
	}
}
