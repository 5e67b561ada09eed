package tlsx

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/spec"
)

const (
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

// keyLengths are how long keys are that are used for this anywhere, in bytes.
var keyLengths = []int{32, 48, 64, 80}

// endMax is how long the end of a line is that a binary key may happen to have, and that
// reading it takes off.
const endMax = 2

// isKey reports whether a secret is a key in a form that is used for this: what has
// another length is cut short, or is no key at all but, say, a certificate that everybody
// has, or several keys.
func isKey(secret []byte) bool {
	for _, n := range keyLengths {
		if left := n - len(secret); left >= 0 && left <= endMax {
			return true
		}
	}
	text := strings.Join(strings.Fields(string(secret)), "") // openssl breaks lines
	if b, err := hex.DecodeString(text); err == nil && slices.Contains(keyLengths, len(b)) {
		return true
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(text))
	return err == nil && slices.Contains(keyLengths, len(b))
}

// ticketKey makes a key of what a file holds, so that every form will do that isKey knows.
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
		if !isKey(key.Value) {
			problems = append(problems, spec.Problem{
				Path: path, What: fmt.Sprintf("the key has %d bytes", len(key.Value)),
				Help: "use one key, of 32, 48, 64 or 80 random ones, or these in hex or base64, such as the output of: openssl rand 80",
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
