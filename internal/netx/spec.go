package netx

import "portico/spec"

// OptionsOf are the options of a socket that a spec asks for.
func OptionsOf(t *spec.TCP) Options {
	return Options{
		Congestion: t.Congestion, KeepAlive: t.KeepAlive.D(), UserTimeout: max(0, t.UserTimeout.D()),
		MSS: t.MSS, FastOpen: t.FastOpen, Fragment: t.Fragment,
	}
}

// ListenerOptionsOf are those of a listening socket.
func ListenerOptionsOf(t *spec.ListenerTCP) Options {
	o := OptionsOf(&t.TCP)
	o.Backlog = t.Backlog
	return o
}
