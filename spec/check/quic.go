package check

import (
	"fmt"

	"portico/spec"
)

// quicServer checks that the id of one target can be looked for.
func (c *checker) quicServer(t *spec.Target, at string) {
	if _, err := t.QUICServer.Bytes(); err != nil {
		c.problem(spec.At(at, "quicServer"), err.Error(), fmt.Sprintf("use 1 to %d bytes as the target writes them, such as 0a01", spec.QUICServerMax))
	}
}

// quicServers checks that a connection id names one target of a udp listener: all its
// ids have one length, for nothing in a packet tells it, and no two are the same.
func (c *checker) quicServers(l *spec.Listener) {
	if l.Protocol != spec.ProtocolUDP {
		return
	}
	length, taken := 0, map[string]string{}
	for _, ref := range l.TargetGroups {
		g := c.TargetGroup(ref.Name)
		if g == nil {
			continue
		}
		for i := range g.Targets {
			t, at := &g.Targets[i], spec.At(c.groupAt.at[string(g.Name)], "targets", i)
			id, err := t.QUICServer.Bytes()
			if err != nil || len(id) == 0 {
				continue
			}
			if length == 0 {
				length = len(id)
			}
			if len(id) != length {
				c.problem(spec.At(at, "quicServer"), fmt.Sprintf("%d bytes, and other targets of listener %q have %d", len(id), l.Name, length), "give all targets of a listener ids of one length")
			}
			if first, has := taken[string(id)]; has {
				c.problem(spec.At(at, "quicServer"), fmt.Sprintf("%q is already the id of %s", string(t.QUICServer), first), "give each target of a listener an id of its own")
				continue
			}
			taken[string(id)] = at
		}
	}
}
