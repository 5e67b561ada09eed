package load

import (
	"math"
	"math/bits"
	"time"
)

// A histogram counts durations in buckets whose width grows with their value, so
// that every percentile is right to within one part in 128 at any scale. Below
// 128 µs a bucket is a microsecond; each doubling above has 128 buckets.
//
// It is what HdrHistogram does with one setting (github.com/HdrHistogram). It is
// not safe for use by several goroutines. Its zero value is empty.
type histogram struct {
	counts  [bucketsMax]uint64
	count   uint64
	sum     time.Duration
	maxSeen time.Duration
}

const (
	bucketBits = 7
	buckets    = 1 << bucketBits
	// valueBits holds a bit more than an hour of microseconds; longer durations
	// count in the last bucket, and are right in the maximum.
	valueBits  = 32
	bucketsMax = (valueBits - bucketBits + 1) * buckets
)

// bucket is the index of the bucket for a number of microseconds.
func bucket(us uint64) int {
	if us < buckets {
		return int(us)
	}
	shift := bits.Len64(us) - bucketBits - 1
	i := (shift+1)*buckets + int(us>>shift) - buckets
	return min(i, bucketsMax-1)
}

// bucketTop is the largest number of microseconds that counts in a bucket.
func bucketTop(i int) uint64 {
	if i < buckets {
		return uint64(i)
	}
	shift := i/buckets - 1
	return (uint64(i%buckets)+buckets+1)<<shift - 1
}

// record counts one duration; a negative one counts as zero.
func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d/time.Microsecond))]++
	h.count++
	h.sum += d
	h.maxSeen = max(h.maxSeen, d)
}

// quantile is a duration that the share q of those recorded does not exceed; the
// maximum for 1, and 0 when nothing was recorded.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := min(max(uint64(math.Ceil(q*float64(h.count))), 1), h.count)
	if rank == h.count {
		return h.maxSeen
	}
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(bucketTop(i))*time.Microsecond, h.maxSeen)
		}
	}
	return h.maxSeen
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}
