package l4

import (
	"strings"

	"portico/spec"
)

// serve makes a listener of shares for each name of a tls listener.
func (l *Listener) serve(want *spec.Spec, of *spec.Listener) {
	l.servers = map[string]*Listener{}
	for _, server := range of.Servers {
		own := *l
		own.Shares, own.weights, own.servers = nil, 0, nil
		own.take(want, of, server.TargetGroups)
		for _, host := range server.Hosts {
			l.servers[strings.TrimPrefix(strings.ToLower(host), "*")] = &own
		}
	}
}

// Server is the part of a tls listener that serves a name: an exact one, or that of a
// wildcard for its first label; else the listener itself where it has groups of its
// own, and otherwise nil. Another listener serves every name.
func (l *Listener) Server(name string) *Listener {
	if !l.TLS {
		return l
	}
	if own := l.servers[name]; own != nil && name != "" && name[0] != '.' {
		return own
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		if own := l.servers[name[dot:]]; own != nil {
			return own
		}
	}
	if len(l.Shares) == 0 {
		return nil
	}
	return l
}
