package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	stdhash "hash"
	"strconv"
	"strings"
)

// SHA-crypt is how Linux keeps passwords: U. Drepper, "Unix crypt using SHA-256
// and SHA-512", version 0.6. The numbers of steps below are those of that paper.

const (
	shaRoundsDefault = 5000
	shaRoundsMin     = 1000
	shaRoundsMax     = 1_000_000 // the paper allows a thousand times as many
	shaSaltMax       = 16
	shaDigits        = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// shaKind is one of the two algorithms.
type shaKind struct {
	prefix string
	new    func() stdhash.Hash
	digits int // that the sum is written with
	// order is how the sum's bytes are written, three by three, each group the
	// lowest digit first; -1 is no byte.
	order [][3]int
}

var (
	sha256Crypt = &shaKind{"$5$", sha256.New, 43, shaOrder(32)}
	sha512Crypt = &shaKind{"$6$", sha512.New, 86, shaOrder(64)}
)

// shaOrder lists the groups of a sum of that size: the three parts of the sum step
// on together and change places, and what is left comes last.
func shaOrder(size int) [][3]int {
	third := size / 3
	var order [][3]int
	for i := range third {
		g := [3]int{i, third + i, 2*third + i}
		turn := i % 3
		if size == 32 { // SHA-256 turns the other way
			turn = (3 - turn) % 3
		}
		order = append(order, [3]int{g[turn], g[(turn+1)%3], g[(turn+2)%3]})
	}
	if size == 32 {
		return append(order, [3]int{-1, 31, 30})
	}
	return append(order, [3]int{-1, -1, 63})
}

// shaHash is a stored hash.
type shaHash struct {
	kind   *shaKind
	salt   string
	rounds int
	sum    string // as it is written
}

func parseSHACrypt(encoded string, kind *shaKind) (hash, error) {
	h := shaHash{kind: kind, rounds: shaRoundsDefault}
	rest := strings.TrimPrefix(encoded, kind.prefix)
	if after, ok := strings.CutPrefix(rest, "rounds="); ok {
		digits, more, _ := strings.Cut(after, "$")
		n, err := strconv.Atoi(digits)
		if err != nil || n < shaRoundsMin || n > shaRoundsMax {
			return nil, fmt.Errorf("the rounds of the SHA-crypt hash are out of range; use %d to %d", shaRoundsMin, shaRoundsMax)
		}
		h.rounds, rest = n, more
	}
	var ok bool
	h.salt, h.sum, ok = strings.Cut(rest, "$")
	foreign := func(r rune) bool { return !strings.ContainsRune(shaDigits, r) }
	if !ok || len(h.salt) > shaSaltMax || len(h.sum) != kind.digits || strings.ContainsFunc(h.sum, foreign) {
		return nil, errors.New("this is not a whole SHA-crypt hash")
	}
	return h, nil
}

func (h shaHash) is(password []byte) bool {
	return subtle.ConstantTimeCompare([]byte(h.kind.sum(password, h.salt, h.rounds)), []byte(h.sum)) == 1
}

// sum hashes a password and returns the sum as it is written.
func (k *shaKind) sum(password []byte, salt string, rounds int) string {
	a := k.first(password, salt)
	p := k.sequence(password, len(password), len(password)) // steps 13 to 16
	s := k.sequence([]byte(salt), 16+int(a[0]), len(salt))  // steps 17 to 20
	h := k.new()
	for round := range rounds { // step 21
		h.Reset()
		h.Write(pick(round%2 == 1, p, a))
		if round%3 != 0 {
			h.Write(s)
		}
		if round%7 != 0 {
			h.Write(p)
		}
		h.Write(pick(round%2 == 1, a, p))
		a = h.Sum(a[:0])
	}
	return k.write(a)
}

func pick(first bool, a, b []byte) []byte {
	if first {
		return a
	}
	return b
}

// first makes the sum that the rounds begin with: steps 1 to 12.
func (k *shaKind) first(password []byte, salt string) []byte {
	h := k.new()
	h.Write(password)
	h.Write([]byte(salt))
	h.Write(password)
	b := h.Sum(nil)

	h.Reset()
	h.Write(password)
	h.Write([]byte(salt))
	h.Write(spread(b, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		h.Write(pick(n&1 == 1, b, password))
	}
	return h.Sum(nil)
}

// sequence hashes a text so many times over, and spreads the sum over a length.
func (k *shaKind) sequence(text []byte, times, length int) []byte {
	h := k.new()
	for range times {
		h.Write(text)
	}
	return spread(h.Sum(nil), length)
}

// spread repeats a sum until it has a length.
func spread(sum []byte, length int) []byte {
	out := make([]byte, 0, length+len(sum))
	for len(out) < length {
		out = append(out, sum...)
	}
	return out[:length]
}

// write writes a sum in the digits of crypt: steps 22.
func (k *shaKind) write(sum []byte) string {
	out := make([]byte, 0, k.digits+4)
	for _, group := range k.order {
		var bits uint
		n := 0
		for _, i := range group {
			bits <<= 8
			if i >= 0 {
				bits |= uint(sum[i])
				n++
			}
		}
		for range (8*n + 5) / 6 {
			out = append(out, shaDigits[bits&63])
			bits >>= 6
		}
	}
	return string(out)
}
