package xdp

import (
	"errors"
	"fmt"
)

// Unsupported is something that this system clearly cannot do or may not. It is
// errors.ErrUnsupported.
type Unsupported struct {
	Feature string // what was wanted
	Needs   string // what it takes
	Err     error  // what the system said; may be nil
}

// Error says what to do about it.
func (u *Unsupported) Error() string {
	text := fmt.Sprintf("%s needs %s; set datapath: relay to run without it", u.Feature, u.Needs)
	if u.Err != nil {
		text += fmt.Sprintf(" (%v)", u.Err)
	}
	return text
}

// Is makes it errors.ErrUnsupported.
func (u *Unsupported) Is(err error) bool { return err == errors.ErrUnsupported }

// Unwrap is what the system said.
func (u *Unsupported) Unwrap() error { return u.Err }
