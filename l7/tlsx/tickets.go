package tlsx

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/spec"
)

const (
	// TicketKeyMin is the least that a key may have, in bytes: 32, but for the end
	// of a line that a binary key may happen to have and that reading it takes off.
	TicketKeyMin = 30
	// ownAge is how long a key of our own making encrypts, and ownKeys how many
	// decrypt: a ticket is good for at least two days.
	ownAge  = 24 * time.Hour
	ownKeys = 3
)

// Tickets are the keys that the sessions of a process are encrypted with. Where
// nobody handed any in, they are its own, and change by themselves. Its zero value
// has none yet.
type Tickets struct {
	changeAt atomic.Int64 // when own keys change, in Unix nanoseconds; 0 for never

	mu      sync.Mutex // guards what follows
	own     [][32]byte
	configs []*tls.Config // that are in use
}

// Use gives configurations the keys of a spec, and lets go of those before: a
// handshake under way keeps what it has. The first key encrypts, all decrypt.
func (t *Tickets) Use(keys []spec.Secret, configs []*tls.Config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.configs = configs
	if len(keys) == 0 {
		t.change(clock.Now())
		return
	}
	t.changeAt.Store(0)
	given := make([][32]byte, len(keys))
	for i, key := range keys {
		given[i] = ticketKey(key.Value)
	}
	t.set(given)
}

// step changes keys of our own making when it is time.
func (t *Tickets) step() {
	if at := t.changeAt.Load(); at == 0 || clock.Now().UnixNano() < at {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changeAt.Load() != 0 {
		t.change(clock.Now())
	}
}

// change makes a new key where the one in use is old enough, and sets all.
func (t *Tickets) change(now time.Time) {
	if at := t.changeAt.Load(); len(t.own) == 0 || at != 0 && now.UnixNano() >= at {
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails
		t.own = append([][32]byte{key}, t.own[:min(len(t.own), ownKeys-1)]...)
		t.changeAt.Store(now.Add(ownAge).UnixNano())
	}
	if t.changeAt.Load() == 0 { // keys were handed in for a while
		t.changeAt.Store(now.Add(ownAge).UnixNano())
	}
	t.set(t.own)
}

func (t *Tickets) set(keys [][32]byte) {
	for _, c := range t.configs {
		c.SetSessionTicketKeys(keys)
	}
}

// ticketKey makes a key of what a file holds, so that every form will do that is
// used for this anywhere: 32, 48, 64 or 80 bytes, raw or as text.
func ticketKey(secret []byte) (key [32]byte) {
	b, err := hkdf.Key(sha256.New, secret, nil, "portico session tickets", len(key))
	if err != nil {
		panic("tlsx: " + err.Error() + "; it depends on lengths alone, which are fixed")
	}
	return [32]byte(b)
}

// CheckTickets finds what is wrong with the keys of a spec.
func CheckTickets(keys []spec.Secret) []spec.Problem {
	var problems []spec.Problem
	seen := map[[32]byte]int{}
	for i, key := range keys {
		path := spec.At("secrets.tickets", i)
		if n := len(key.Value); n < TicketKeyMin {
			problems = append(problems, spec.Problem{
				Path: path, What: fmt.Sprintf("the key has %d bytes", n),
				Help: "use 32, 48, 64 or 80 random ones, such as the output of: openssl rand 80",
			})
			continue
		}
		id := sha256.Sum256(key.Value)
		if first, twice := seen[id]; twice {
			problems = append(problems, spec.Problem{
				Path: path, What: fmt.Sprintf("the key is that of secrets.tickets[%d]", first), Help: "use another, or leave it out",
			})
			continue
		}
		seen[id] = i
	}
	return problems
}
