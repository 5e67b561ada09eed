package check

import (
	"fmt"
	"strings"
	"time"

	"portico/spec"
)

// The kernel counts seconds of keepalive in fifteen bits.
const (
	keepAliveMin = spec.Duration(time.Second)
	keepAliveMax = spec.Duration(32767 * time.Second)
	// congestionMax is the longest name the kernel takes.
	congestionMax = 15
)

// tcp checks how sockets are set.
func (c *checker) tcp(t *spec.TCP, at string) {
	at = spec.At(at, "tcp")
	if k := t.KeepAlive; k > 0 && (k < keepAliveMin || k > keepAliveMax) {
		c.problem(spec.At(at, "keepalive"), fmt.Sprintf("%v is out of range", k), fmt.Sprintf("use %v to %v, or off", keepAliveMin, keepAliveMax))
	}
	if u := t.UserTimeout; u > 0 && u < keepAliveMin {
		c.problem(spec.At(at, "userTimeout"), fmt.Sprintf("%v is too short for any network", u), "use 1s or more")
	}
	bad := func(r rune) bool { return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }
	if strings.ContainsFunc(t.Congestion, bad) || len(t.Congestion) > congestionMax {
		c.problem(spec.At(at, "congestion"), fmt.Sprintf("%q is not the name of an algorithm", t.Congestion), "use one such as bbr or cubic")
	}
}
