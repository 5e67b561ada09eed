package http1

import "bytes"

// stepMax is how much HeadStep takes at once, so that a body behind a head is not
// copied too; up to stepSmall everything is.
const (
	stepMax   = 4 << 10
	stepSmall = 1 << 10
)

// HeadStep is how much of p to copy next: what may be of the head. It is worth a
// look for the end where a body seems to follow, which memory that is not in the
// processor's cache would have to take.
func HeadStep(p []byte) int {
	p = p[:min(len(p), stepMax)]
	if len(p) <= stepSmall {
		return len(p)
	}
	for at := 0; ; {
		i := bytes.IndexByte(p[at:], '\n') + 1
		if i == 0 {
			return len(p)
		}
		at += i
		if len(p) > at+1 && p[at] == '\r' && p[at+1] == '\n' {
			return at + 2
		}
	}
}
