package template

import (
	"crypto/tls"
	"net/netip"
	"strconv"

	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/pairs"
)

// kind is one of the variables there are.
type kind uint8

const (
	none kind = iota
	clientIP
	clientPort
	host
	method
	scheme
	path
	query
	requestID
	tlsVersion
	tlsName
	status
	statusText
	routeName
	groupName
	targetName
	header
	queryValue
	cookie
)

// names lists the variables by their kind; NAME stands for one of the client's.
var names = []string{
	"",
	"client.ip", "client.port", "host", "method", "scheme", "path", "query", "request.id", "tls.version", "tls.name",
	"status", "status.text", "route", "group", "target", "header.NAME", "query.NAME", "cookie.NAME",
}

// Names lists the variables, as a person would write them.
func Names() []string { return names[none+1:] }

// variable is one use of a kind.
type variable struct {
	kind kind
	name string // of header, queryValue and cookie; of a header in lower case
}

// append writes the value; nothing where there is none.
func (p *variable) append(dst []byte, v *Values) []byte {
	r := v.Request
	switch p.kind {
	case host:
		return append(dst, r.Host...)
	case method:
		return append(dst, r.Method...)
	case scheme:
		if v.HTTPS {
			return append(dst, "https"...)
		}
		return append(dst, "http"...)
	case path:
		return append(dst, r.Path...)
	case query:
		return append(dst, r.Query...)
	case header:
		return append(dst, message.Get(r.Fields, p.name)...)
	case queryValue:
		return p.appendQuery(dst, r.Query)
	case cookie:
		c := pairs.NewCookies(r.Fields, p.name)
		value, _ := c.Next()
		return append(dst, value...)
	case requestID:
		return append(dst, v.ID...)
	case status:
		if v.Status > 0 {
			return strconv.AppendInt(dst, int64(v.Status), 10)
		}
		return dst
	case statusText:
		return append(dst, http1.StatusText(v.Status)...)
	case clientIP, clientPort:
		return p.appendClient(dst, r.Client)
	default:
		return p.appendDecided(dst, v)
	}
}

func (p *variable) appendClient(dst []byte, client netip.AddrPort) []byte {
	switch {
	case !client.Addr().IsValid():
		return dst
	case p.kind == clientIP:
		return client.Addr().Unmap().AppendTo(dst)
	case client.Port() == 0: // a trusted proxy named the client without one
		return dst
	}
	return strconv.AppendUint(dst, uint64(client.Port()), 10)
}

// appendDecided writes what the connection, or the decision so far, says.
func (p *variable) appendDecided(dst []byte, v *Values) []byte {
	d := v.Decision
	if d == nil {
		return dst
	}
	switch p.kind {
	case tlsVersion:
		if d.Client != nil && d.Client.TLS {
			return append(dst, versionName(d.Client.Version)...)
		}
	case tlsName:
		if d.Client != nil {
			return append(dst, d.Client.ServerName...)
		}
	case routeName:
		return append(dst, d.Route...)
	case groupName:
		return append(dst, d.Group...)
	case targetName:
		if d.Target != nil {
			return d.Target.AppendLabel(dst)
		}
	default:
	}
	return dst
}

// versionName is that of package tls, which makes a text of unknown ones anew.
func versionName(version uint16) string {
	switch version {
	case tls.VersionTLS12:
		return "TLS 1.2"
	case tls.VersionTLS13:
		return "TLS 1.3"
	default:
		return ""
	}
}

// appendQuery writes the first parameter of the name, decoded.
func (p *variable) appendQuery(dst, query []byte) []byte {
	for q := pairs.NewQuery(query); ; {
		name, value, ok := q.Next()
		if !ok {
			return dst
		}
		if pairs.Is(name, p.name) {
			return pairs.Decode(dst, value)
		}
	}
}
