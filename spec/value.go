package spec

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written with its unit ("5s", "1m30s") or "off"
// for a bound that is not wanted.
type Duration time.Duration

// Off is a Duration that means "no bound".
const Off Duration = -1

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String writes d as it is read.
func (d Duration) String() string {
	if d < 0 {
		return "off"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// MarshalText writes d as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "5s", "1m30s" or "off".
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "off" {
		*d = Off
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		if _, e := strconv.ParseFloat(s, 64); e == nil {
			return fmt.Errorf("%s has no unit; use %ss or %sms", s, s, s)
		}
		return fmt.Errorf("%q is not a duration; use a number with a unit, such as 500ms, 5s or 1m", s)
	}
	if v < 0 {
		return fmt.Errorf("%s is negative; use a positive duration, or off", s)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, written with its unit ("64KiB").
type Size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String writes s as it is read.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.factor == 0 {
			return strconv.FormatInt(int64(s)/u.factor, 10) + u.suffix
		}
	}
	return "0B"
}

// MarshalText writes s as it is read.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "512B", "64KiB", "10MiB" or "1GiB".
func (s *Size) UnmarshalText(text []byte) error {
	str := string(text)
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(str, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			break
		}
		*s = Size(n * u.factor)
		return nil
	}
	return fmt.Errorf("%q is not a size; use a whole number with B, KiB, MiB or GiB, such as 64KiB", str)
}

// AddrPort is an IP address and a port, the only form of a target's address.
type AddrPort struct{ netip.AddrPort }

// UnmarshalText reads "10.0.0.1:8080" or "[2001:db8::1]:8080".
func (a *AddrPort) UnmarshalText(text []byte) error {
	ap, err := netip.ParseAddrPort(string(text))
	if err != nil || ap.Port() == 0 {
		return fmt.Errorf("%q is not an address with a port; use 10.0.0.1:8080 or [2001:db8::1]:8080", text)
	}
	a.AddrPort = ap
	return nil
}

// Choice is one of several named alternatives with its parameters, written
// {http: {path: /}}; a plain name stands for the alternative with its defaults.
// Params is what the Kind's Params made, so each entry knows its own type.
type Choice struct {
	Name   string
	Params any
}

// MarshalJSON writes the choice as {name: params}.
func (c Choice) MarshalJSON() ([]byte, error) {
	if c.Params == nil {
		return json.Marshal(c.Name)
	}
	return json.Marshal(map[string]any{c.Name: c.Params})
}

// Kind is one alternative of a Choice, taken from the table that implements it.
type Kind struct {
	Name    string
	Summary string
	// Params returns a pointer to a new value that the parameters are decoded
	// into, a struct with the tags of Spec, or a map or a slice. Nil means that
	// it has none.
	Params func() any
}

// Kinds are the tables of every Choice, by the kind tag of the field. Package
// node builds it from the tables of the tiers.
type Kinds map[string][]Kind

// Checker is what the Params of a Choice implement to refuse what decoding
// cannot see. The paths of the problems are relative to the choice, or empty.
type Checker interface {
	Check() []Problem
}

// File is a file the spec refers to, read when the spec was. Only its path is
// ever written out.
type File struct {
	Path  string // absolute
	Bytes []byte
}

// MarshalText writes the path.
func (f File) MarshalText() ([]byte, error) { return []byte(f.Path), nil }

// Secret is a value that is never written in a spec, only where it is found:
// {file: …} or {env: …}. The value is read when the spec was.
type Secret struct {
	File  string `json:"file,omitempty" oneof:"source"` // absolute once read
	Env   string `json:"env,omitempty" oneof:"source"`
	Value []byte `json:"-"`
}

// String never shows the value.
func (s Secret) String() string {
	if s.Env != "" {
		return "secret from the environment variable " + s.Env
	}
	return "secret from " + s.File
}

// Format never shows the value, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }
