package transport

import (
	"crypto/tls"
	"fmt"
	"reflect"

	"portico/internal/netx"
	"portico/spec"
)

// Kept are the transports of the target groups of one spec. A group that asks for
// the same as before keeps its own, and with it the connections that are pooled.
type Kept map[spec.TargetGroupName]kept

// kept is the transport of a group, and what was asked for.
type kept struct {
	*Transport // nil means HTTP/1.1 in plain text
	tls        *spec.TargetTLS
	tcp        spec.TCP
	protocol   spec.TargetProtocol
}

// Greeter makes the configuration of a group's tls: target.TLS.
type Greeter func(*spec.TargetTLS) (*tls.Config, error)

// Of returns the transport of a group, made once for each spec: before are those
// of the last one.
func (k Kept) Of(g *spec.TargetGroup, before Kept, greet Greeter) (*Transport, error) {
	if made, ok := k[g.Name]; ok {
		return made.Transport, nil
	}
	made, ok := before[g.Name]
	if !ok || made.tcp != g.TCP || made.protocol != g.Protocol || !reflect.DeepEqual(made.tls, g.TLS) {
		var err error
		if made, err = newKept(g, greet); err != nil {
			return nil, fmt.Errorf("target group %q: tls: %w", g.Name, err)
		}
	}
	k[g.Name] = made
	return made.Transport, nil
}

func newKept(g *spec.TargetGroup, greet Greeter) (kept, error) {
	made := kept{tls: g.TLS, tcp: g.TCP, protocol: g.Protocol}
	o := Options{Socket: netx.OptionsOf(&g.TCP), Protocol: protocolOf(g.Protocol)}
	if g.TLS == nil && g.TCP == (spec.TCP{}) && o.Protocol != HTTP2 {
		return made, nil // Auto agrees on nothing without a handshake
	}
	if g.TLS != nil {
		config, err := greet(g.TLS)
		if err != nil {
			return made, err
		}
		o.TLS, o.NameFromHost, o.NoResumption = config, g.TLS.ServerName == "", !g.TLS.Resumes()
	}
	made.Transport = New(o)
	return made, nil
}

func protocolOf(p spec.TargetProtocol) Protocol {
	switch p {
	case spec.TargetHTTP2:
		return HTTP2
	case spec.TargetAuto:
		return Auto
	default:
		return HTTP1
	}
}
