// Package wheel is the timers of one event loop: many that are started and moved, few
// that fire.
//
// What comes in: timers, what time it is. What goes out: calls of what is due, and
// when there will be something next. It reads no clock and holds no lock.
//
// Start reading at Wheel.
package wheel

import (
	"math/bits"
	"time"
)

// The wheel has levels of slots, after Varghese and Lauck (1987), scheme 7: a
// timer lies in the level whose slots are as wide as its wait, and moves down as
// its time comes near. Starting and stopping one costs the same with any number.
const (
	// Tick is how much later than asked a timer may fire.
	Tick       = 10 * time.Millisecond
	slotBits   = 6
	slots      = 1 << slotBits
	levels     = 5 // the widest covers 124 days; what waits longer is looked at again then
	ticksMax   = 1<<(slotBits*levels) - 1
	slotOfTick = slots - 1
)

// Timer is one thing that happens at a time. It is not started until Start.
type Timer struct {
	Who         interface{ Expired() } // told by Advance; the timer is stopped then
	at          int64                  // the tick; valid while started
	prev, next  *Timer                 // in its slot
	level, slot uint8
	started     bool
}

// Wheel holds the timers of one loop.
type Wheel struct {
	epoch time.Time
	now   int64 // the tick that all timers before have fired in
	slot  [levels][slots]*Timer
	used  [levels]uint64 // a bit for each slot that is not empty
	count int
}

// Init begins with no timer, at a time.
func (w *Wheel) Init(now time.Time) { w.epoch = now }

// tickOf is the first tick that is not before a time.
func (w *Wheel) tickOf(at time.Time) int64 {
	return int64((at.Sub(w.epoch) + Tick - 1) / Tick)
}

// Start makes t fire at a time, wherever it stood before.
func (w *Wheel) Start(t *Timer, at time.Time) {
	w.Stop(t)
	t.at = max(w.tickOf(at), w.now+1)
	w.place(t)
	w.count++
}

// Sooner reports whether a time is before t would fire.
func (w *Wheel) Sooner(at time.Time, t *Timer) bool {
	return !t.started || w.tickOf(at) < t.at
}

// Started reports whether t will fire.
func (t *Timer) Started() bool { return t.started }

// place puts t in the slot of its tick.
func (w *Wheel) place(t *Timer) {
	wait := min(t.at-w.now, ticksMax)
	level := (bits.Len64(uint64(wait)) - 1) / slotBits
	w.put(t, level, (w.now+wait)>>(level*slotBits)&slotOfTick)
}

func (w *Wheel) put(t *Timer, level int, slot int64) {
	t.level, t.slot, t.started = uint8(level), uint8(slot), true
	t.prev, t.next = nil, w.slot[level][slot]
	if t.next != nil {
		t.next.prev = t
	}
	w.slot[level][slot] = t
	w.used[level] |= 1 << slot
}

// Stop keeps t from firing.
func (w *Wheel) Stop(t *Timer) {
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
func (w *Wheel) begin(level, slot int, t *Timer) {
	w.slot[level][slot] = t
	if t == nil {
		w.used[level] &^= 1 << slot
	} else {
		t.prev = nil
	}
}

// Next is when Advance has something to do; zero means never.
func (w *Wheel) Next() time.Time {
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
	return w.epoch.Add(time.Duration(soonest) * Tick)
}

// Advance fires what is due. What fires may start and stop timers.
func (w *Wheel) Advance(now time.Time) {
	until := int64(now.Sub(w.epoch) / Tick)
	if w.count == 0 {
		w.now = max(w.now, until)
		return
	}
	for w.now < until {
		// Leap over ticks in which nothing happens.
		if n := w.tickOf(w.Next()); n > w.now+1 {
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
func (w *Wheel) step() {
	for level := 1; level < levels; level++ {
		shift := level * slotBits
		if w.now&(1<<shift-1) != 0 {
			break
		}
		w.spill(level, int(w.now>>shift&slotOfTick))
	}
	i := int(w.now & slotOfTick)
	for t := w.slot[0][i]; t != nil; t = w.slot[0][i] {
		w.Stop(t)
		t.Who.Expired()
	}
}

// spill places the timers of one slot anew. Those due now go where step looks last.
func (w *Wheel) spill(level, slot int) {
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
