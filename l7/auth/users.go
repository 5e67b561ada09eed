// Package auth finds out who sends a request: by a password, or by asking a
// server that knows.
//
// What comes in: users with hashes of their passwords, and what clients say.
// What goes out: whether it is true, later and by a wake, because hashing a
// password and asking a server both take time that no event loop may spend. No
// password is kept, logged or told; of one that was right a keyed digest is kept
// for a while.
//
// Start reading at Users, then Verifier; Asker stands alone.
package auth

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	// usersMax bounds the users of one list.
	usersMax = 100_000
	// nameMax bounds the name of a user, in bytes.
	nameMax = 256
)

// Users are names with hashes of their passwords.
type Users struct {
	byName map[string]*user
	// nobody is checked in place of a user there is none of, so that it takes as
	// long.
	nobody hash
}

// ParseUsers reads lines of "name:hash", as htpasswd writes them; empty lines and
// those that begin with # are left out. It returns every problem, and never shows
// a hash.
func ParseUsers(text []byte) (*Users, []error) {
	u := &Users{byName: map[string]*user{}}
	var problems []error
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := u.add(string(line)); err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", n, err))
		}
	}
	if len(u.byName) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("there is no user; write a line with name:hash for each"))
	}
	return u, problems
}

func (u *Users) add(line string) error {
	name, encoded, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return fmt.Errorf("there is no colon; write name:hash")
	case name == "" || len(name) > nameMax:
		return fmt.Errorf("the name has %d bytes; 1 to %d are allowed", len(name), nameMax)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("the name holds a control character")
	case u.byName[name] != nil:
		return fmt.Errorf("the user %q is there twice", name)
	case len(u.byName) == usersMax:
		return fmt.Errorf("there are more than %d users", usersMax)
	}
	h, err := parseHash(encoded)
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	u.byName[name] = &user{hash: h}
	if u.nobody == nil {
		u.nobody = h
	}
	return nil
}

// Len is how many users there are.
func (u *Users) Len() int { return len(u.byName) }
