package engine

import (
	"math/bits"
	"time"
)

// The wheel has levels of slots, after Varghese and Lauck (1987), scheme 7: a
// timer lies in the level whose slots are as wide as its wait, and moves down as
// its time comes near. Starting and stopping one costs the same with any number.
const (
	tick       = 10 * time.Millisecond // how much later than asked a timer may fire
	slotBits   = 6
	slots      = 1 << slotBits
	levels     = 5 // the widest covers 124 days; what waits longer is looked at again then
	ticksMax   = 1<<(slotBits*levels) - 1
	slotOfTick = slots - 1
)

// timer is one thing that happens at a time. Its zero value is not started.
type timer struct {
	who         interface{ expired() } // told by the loop; the timer is stopped then
	at          int64                  // the tick; valid while started
	prev, next  *timer                 // in its slot
	level, slot uint8
	started     bool
}

// wheel holds the timers of one loop.
type wheel struct {
	epoch time.Time
	now   int64 // the tick that all timers before have fired in
	slot  [levels][slots]*timer
	used  [levels]uint64 // a bit for each slot that is not empty
	count int
}

func (w *wheel) init(now time.Time) { w.epoch = now }

// tickOf is the first tick that is not before a time.
func (w *wheel) tickOf(at time.Time) int64 {
	return int64((at.Sub(w.epoch) + tick - 1) / tick)
}

// start makes t fire at a time, wherever it stood before.
func (w *wheel) start(t *timer, at time.Time) {
	w.stop(t)
	t.at = max(w.tickOf(at), w.now+1)
	w.place(t)
	w.count++
}

// sooner reports whether a time is before t would fire.
func (w *wheel) sooner(at time.Time, t *timer) bool {
	return !t.started || w.tickOf(at) < t.at
}

// place puts t in the slot of its tick.
func (w *wheel) place(t *timer) {
	wait := min(t.at-w.now, ticksMax)
	level := (bits.Len64(uint64(wait)) - 1) / slotBits
	w.put(t, level, (w.now+wait)>>(level*slotBits)&slotOfTick)
}

func (w *wheel) put(t *timer, level int, slot int64) {
	t.level, t.slot, t.started = uint8(level), uint8(slot), true
	t.prev, t.next = nil, w.slot[level][slot]
	if t.next != nil {
		t.next.prev = t
	}
	w.slot[level][slot] = t
	w.used[level] |= 1 << slot
}

// stop keeps t from firing.
func (w *wheel) stop(t *timer) {
	if !t.started {
		return
	}
	w.count--
	t.started = false
	if t.next != nil {
		t.next.prev = t.prev
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.begin(int(t.level), int(t.slot), t.next)
	}
}

// begin makes t the first of a slot; nil empties it.
func (w *wheel) begin(level, slot int, t *timer) {
	w.slot[level][slot] = t
	if t == nil {
		w.used[level] &^= 1 << slot
	} else {
		t.prev = nil
	}
}

// next is when advance has something to do; zero means never.
func (w *wheel) next() time.Time {
	if w.count == 0 {
		return time.Time{}
	}
	soonest := int64(ticksMax) + w.now
	for level := range levels {
		if w.used[level] == 0 {
			continue
		}
		shift := level * slotBits
		here := w.now >> shift & slotOfTick
		// How many slots ahead the next one in use is; the current one was emptied.
		ahead := int64(bits.TrailingZeros64(bits.RotateLeft64(w.used[level], -int(here+1)))) + 1
		soonest = min(soonest, (w.now>>shift+ahead)<<shift)
	}
	return w.epoch.Add(time.Duration(soonest) * tick)
}

// advance fires what is due. What fires may start and stop timers.
func (w *wheel) advance(now time.Time) {
	until := int64(now.Sub(w.epoch) / tick)
	if w.count == 0 {
		w.now = max(w.now, until)
		return
	}
	for w.now < until {
		// Leap over ticks in which nothing happens.
		if n := w.tickOf(w.next()); n > w.now+1 {
			w.now = min(n-1, until)
			if w.now == until {
				return
			}
		}
		w.now++
		w.step()
		if w.count == 0 {
			w.now = until
		}
	}
}

// step does what is due in the current tick: timers of wider slots that begin
// now move down, those of this tick fire.
func (w *wheel) step() {
	for level := 1; level < levels; level++ {
		shift := level * slotBits
		if w.now&(1<<shift-1) != 0 {
			break
		}
		w.spill(level, int(w.now>>shift&slotOfTick))
	}
	i := int(w.now & slotOfTick)
	for t := w.slot[0][i]; t != nil; t = w.slot[0][i] {
		w.stop(t)
		t.who.expired()
	}
}

// spill places the timers of one slot anew. Those due now go where step looks last.
func (w *wheel) spill(level, slot int) {
	t := w.slot[level][slot]
	w.begin(level, slot, nil)
	for t != nil {
		next := t.next
		if t.at <= w.now {
			w.put(t, 0, w.now&slotOfTick)
		} else {
			w.place(t)
		}
		t = next
	}
}
