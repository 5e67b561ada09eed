package l7

import (
	"fmt"
	"reflect"

	"portico/l7/transport"
	"portico/spec"
	"portico/target"
)

// vias are the transports of target groups. A group that asks for the same again
// keeps its own, and with it the connections that are pooled.
type vias map[spec.TargetGroupName]via

// via is the transport of a group, and what was asked for.
type via struct {
	*transport.Transport // nil means HTTP/1.1 in plain text
	tls                  *spec.TargetTLS
	protocol             spec.TargetProtocol
}

// via returns the transport of a group, once for each spec.
func (c *compiler) via(g *spec.TargetGroup) (*transport.Transport, error) {
	if made, ok := c.vias[g.Name]; ok {
		return made.Transport, nil
	}
	v, kept := c.s.vias[g.Name]
	if !kept || v.protocol != g.Protocol || !reflect.DeepEqual(v.tls, g.TLS) {
		var err error
		if v, err = newVia(g); err != nil {
			return nil, fmt.Errorf("target group %q: tls: %w", g.Name, err)
		}
	}
	c.vias[g.Name] = v
	return v.Transport, nil
}

func newVia(g *spec.TargetGroup) (via, error) {
	v := via{tls: g.TLS, protocol: g.Protocol}
	protocol := protocolOf(g.Protocol)
	if g.TLS == nil {
		if protocol == transport.HTTP2 {
			v.Transport = transport.New(transport.Options{Protocol: protocol})
		}
		return v, nil
	}
	config, err := target.TLS(g.TLS)
	if err != nil {
		return v, err
	}
	v.Transport = transport.New(transport.Options{
		TLS: config, Protocol: protocol, NameFromHost: g.TLS.ServerName == "", NoResumption: !g.TLS.Resumes(),
	})
	return v, nil
}

func protocolOf(p spec.TargetProtocol) transport.Protocol {
	switch p {
	case spec.TargetHTTP2:
		return transport.HTTP2
	case spec.TargetAuto:
		return transport.Auto
	default:
		return transport.HTTP1
	}
}
