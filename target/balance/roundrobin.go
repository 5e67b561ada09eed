package balance

import "sync/atomic"

// round-robin gives each candidate its turn, as often as its weight says.
//
// For: targets alike in size and requests alike in cost. It needs no loads and
// no hash, and over one round of as many picks as the weights add up to, every
// candidate is picked exactly weight times.
//
// Not for: requests of very different cost, where turns pile up on the target
// that got the slow ones (use least-conn or random-two); nor for keeping a
// client on a target (use maglev).
//
// The turns of a heavy candidate are spread over the round, not taken in a row.
// The usual way, nginx's smooth weighted round-robin, costs O(n) under a lock.
// Here the round walks the line of shares (shares.go) in steps close to the
// golden section of its length and without a common divisor with it: such a walk
// visits every position once, and any stretch of it spreads over the line with
// the least discrepancy known (Knuth, The Art of Computer Programming, volume 3,
// section 6.4, theorem S). One atomic addition and one binary search a pick.
type roundRobin struct {
	shares shares
	step   uint64
	turn   atomic.Uint64
}

func newRoundRobin(_ any, candidates []Candidate) Picker {
	r := &roundRobin{shares: newShares(candidates)}
	r.step = goldenStep(r.shares.total())
	return r
}

// goldenStep returns the number closest to total/φ that has no common divisor
// with total.
func goldenStep(total uint64) uint64 {
	near := total * 6180339887 / 10000000000
	for d := uint64(0); d <= near; d++ {
		if coprime(near+d, total) {
			return near + d
		}
		if coprime(near-d, total) {
			return near - d
		}
	}
	return 1 // total is 0 or 1
}

func coprime(a, b uint64) bool {
	for b != 0 {
		a, b = b, a%b
	}
	return a == 1
}

func (r *roundRobin) Pick(q Query) int {
	turn := r.turn.Add(1)
	if turn == 1 {
		// Nodes that start together, and pickers built anew whenever a verdict
		// changes, must not all begin with the first candidate.
		turn = r.turn.Add(q.Draw >> 1)
	}
	return r.at(turn)
}

func (r *roundRobin) Peek(q Query) int { return r.at(r.next(q)) }

// next is the turn that Pick would take.
func (r *roundRobin) next(q Query) uint64 {
	turn := r.turn.Load() + 1
	if turn == 1 {
		turn += q.Draw >> 1
	}
	return turn
}

func (r *roundRobin) at(turn uint64) int {
	total := r.shares.total()
	if total == 0 {
		return -1
	}
	return r.shares.at(turn % total * r.step % total)
}

func (r *roundRobin) Loaded(int) {}

// turnsAhead bounds how far Explain looks for the next turn of each candidate.
const turnsAhead = 4 * CandidatesMax

// Explain implements Picker.
func (r *roundRobin) Explain(q Query) []Score {
	scores := make([]Score, len(r.shares.ends))
	for i := range scores {
		scores[i] = out("its turn is far")
	}
	next, found := r.next(q), 0
	for ahead := uint64(0); ahead < turnsAhead && found < len(scores); ahead++ {
		i := r.at(next + ahead)
		if !scores[i].Out() {
			continue
		}
		found++
		scores[i] = rank(float64(ahead), "its turn is %d later", ahead)
		if ahead == 0 {
			scores[i].Text = "its turn"
		}
	}
	return scores
}
