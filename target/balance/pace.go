package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// Outcome is how something sent to a candidate went.
type Outcome struct {
	Now time.Time // when it was known
	// Took is how long the candidate took to answer.
	Took time.Duration
	// Failed says that it did not answer, or that its answer was an error of its own.
	Failed bool
	// Least says that nobody waited for its answer: it would have taken Took or longer.
	Least bool
}

// Observer is a Picker that learns from outcomes.
type Observer interface {
	Picker
	// Observed says how something sent to candidate i went. What is learned of it
	// is kept in the candidate's Pace.
	Observed(i int, o Outcome)
}

// Pace is how fast a candidate answered of late. The caller keeps it for as long
// as it knows the candidate, so that a new picker begins with what was learned.
// It is safe for use by several goroutines, and has no lock.
//
// It is the peak-sensitive mean of Finagle's load balancers: a sample above the
// mean becomes the mean at once, one below it moves the mean by an exponential
// weight of the time that has passed since the last sample.
type Pace struct {
	born time.Time     // what at counts from
	at   atomic.Int64  // when the mean was last moved, in nanoseconds
	mean atomic.Uint64 // the bits of a float64, in nanoseconds; 0 before the first sample
}

// NewPace returns one that knows nothing. Times it is given later are compared
// with now.
func NewPace(now time.Time) *Pace { return &Pace{born: now} }

const (
	// sampleMax bounds a sample, however often a candidate fails.
	sampleMax = 10 * time.Minute
	// forgetAfter is after how many times the decay without a sample nothing is
	// known any more: less than a hundredth of it would be left.
	forgetAfter = 5
)

// of returns the mean at a time, in nanoseconds: what was learned counts less the
// longer ago it was. It is false when nothing is known.
func (p *Pace) of(now time.Time, decay time.Duration) (mean float64, known bool) {
	mean = math.Float64frombits(p.mean.Load())
	since := time.Duration(int64(now.Sub(p.born)) - p.at.Load())
	if mean == 0 || since > forgetAfter*decay {
		return 0, false
	}
	return mean * left(since, decay), true
}

// observe takes a sample. A failure counts as one of at least penalty, and of
// twice the mean, so that it is slow in the eyes of any group.
func (p *Pace) observe(o Outcome, decay, penalty time.Duration) {
	if o.Least && !o.Failed {
		if mean, known := p.of(o.Now, decay); known && float64(o.Took) <= mean {
			return // it says nothing new
		}
	}
	keep := left(p.claim(o.Now), decay)
	for {
		was := p.mean.Load()
		mean, sample := math.Float64frombits(was)*keep, float64(o.Took)
		if o.Failed {
			sample = max(sample, float64(penalty), 2*mean)
		}
		sample = min(max(sample, 1), float64(sampleMax))
		next := sample
		if mean > sample {
			next = mean + (1-keep)*sample
		}
		if p.mean.CompareAndSwap(was, math.Float64bits(next)) {
			return
		}
	}
}

// claim moves the time of the last sample on to now, and returns by how much.
// Each span of time is claimed once, by whoever comes first, so that a hundred
// samples of one moment do not weigh more than one.
func (p *Pace) claim(now time.Time) time.Duration {
	at := int64(now.Sub(p.born))
	for {
		was := p.at.Load()
		if at <= was {
			return 0
		}
		if p.at.CompareAndSwap(was, at) {
			return time.Duration(at - was)
		}
	}
}

// left is the weight of what was known so long ago.
func left(since, decay time.Duration) float64 {
	return math.Exp(-float64(max(since, 0)) / float64(decay))
}
