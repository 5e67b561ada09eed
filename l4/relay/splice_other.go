//go:build unix && !linux

package relay

// Elsewhere bytes go through buffers alone.

func (p *pump) splice() bool {
	p.bulk = false
	return true
}

func (*pump) empty() bool { return false }

// isGone and unsent need to ask the kernel what only Linux is asked here: a flow
// whose client left is tried to its end, and a reset may overtake what was sent.
func isGone(int) bool { return false }
func unsent(int) bool { return false }
