package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"portico/l7/message"
)

// State is what is known of a question.
type State uint32

// The states.
const (
	Waiting State = iota // it is being worked on
	Right                // the user has that password
	Wrong                // there is no such user, or the password is another
	Busy                 // there is no room to work on it
)

// Verifier says whether passwords are right. Its methods are safe for use by
// several goroutines.
type Verifier struct {
	users *Users
	work  *Workers
	keep  time.Duration
	key   [sha256.Size]byte // of the digests, so that they tell nothing elsewhere

	mu    sync.Mutex // guards asked, and the wakes of its tickets
	asked map[digest]*Ticket
}

// digest stands for a name with a password.
type digest [sha256.Size]byte

// user is one of Users.
type user struct {
	hash
	proof atomic.Pointer[proof]
}

// proof remembers that a password was right.
type proof struct {
	sum   digest
	until time.Time
}

// Ticket is a question that is being worked on; several requests may hold it.
type Ticket struct {
	state atomic.Uint32
	wakes []func()
}

// State is what is known by now.
func (t *Ticket) State() State { return State(t.state.Load()) }

// NewVerifier returns one that remembers for keep that a password was right. At
// most one password of each user is remembered.
func NewVerifier(u *Users, w *Workers, keep time.Duration) *Verifier {
	v := &Verifier{users: u, work: w, keep: keep, asked: map[digest]*Ticket{}}
	_, _ = rand.Read(v.key[:]) // never fails
	return v
}

// Ask asks whether a user has a password. A password that was right a short time
// ago is Right at once; for others the answer is in the ticket when wake is called,
// from another goroutine. Requests that ask the same at once are answered by one hash.
func (v *Verifier) Ask(name, password []byte, now time.Time, wake func()) (State, *Ticket) {
	sum := v.digest(name, password)
	u := v.users.byName[string(name)]
	if u != nil {
		p := u.proof.Load()
		if p != nil && now.Before(p.until) && subtle.ConstantTimeCompare(p.sum[:], sum[:]) == 1 {
			return Right, nil
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if t := v.asked[sum]; t != nil {
		t.wakes = append(t.wakes, wake)
		return Waiting, t
	}
	t := &Ticket{wakes: []func(){wake}}
	secret := bytes.Clone(password)
	if !v.work.Do(func() { v.find(t, u, sum, secret, now) }) {
		return Busy, nil
	}
	v.asked[sum] = t
	return Waiting, t
}

// find hashes a password and says what it found. It takes as long for a user there
// is none of.
func (v *Verifier) find(t *Ticket, u *user, sum digest, password []byte, now time.Time) {
	h := v.users.nobody
	if u != nil {
		h = u.hash
	}
	state := Wrong
	if h.is(password) && u != nil {
		state = Right
		u.proof.Store(&proof{sum, now.Add(v.keep)})
	}
	clear(password)
	v.mu.Lock()
	delete(v.asked, sum)
	wakes := t.wakes
	t.state.Store(uint32(state))
	v.mu.Unlock()
	for _, wake := range wakes {
		wake()
	}
}

// digest is keyed, and never leaves the process.
func (v *Verifier) digest(name, password []byte) digest {
	var room [sha256.Size + 4 + credentialsMax]byte
	b := append(room[:0], v.key[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name))) // or a:bc would be ab:c
	b = append(append(b, name...), password...)
	return sha256.Sum256(b)
}

// credentialsMax bounds a name and a password together, with the colon.
const credentialsMax = 1024

// ParseBasic reads the value of an Authorization field with the scheme Basic (RFC
// 7617). Name and password are appended to dst, which is returned.
func ParseBasic(value, dst []byte) (name, password, grown []byte, ok bool) {
	const scheme = "basic "
	if len(value) < len(scheme) || !message.EqualFold(value[:len(scheme)], scheme) {
		return nil, nil, dst, false
	}
	value = bytes.Trim(value[len(scheme):], " ")
	if base64.StdEncoding.DecodedLen(len(value)) > credentialsMax {
		return nil, nil, dst, false
	}
	from := len(dst)
	grown, err := base64.StdEncoding.Strict().AppendDecode(dst, value)
	if err != nil {
		return nil, nil, dst, false
	}
	name, password, ok = bytes.Cut(grown[from:len(grown):len(grown)], []byte{':'})
	return name, password, grown, ok
}
