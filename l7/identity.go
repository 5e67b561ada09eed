package l7

import (
	"portico/l7/exchange"
	"portico/l7/message"
)

// certifies reports whether a field is one that tells a target of a client's
// certificate. Whoever sends one, only ours is passed on.
func certifies(name []byte) bool {
	const ours, standard = "x-client-cert", "client-cert" // and what begins so, such as Client-Cert-Chain
	if len(name) < len(standard) {
		return false
	}
	return alike(name[:len(standard)], standard) || len(name) >= len(ours) && alike(name[:len(ours)], ours)
}

// identify tells the target of the certificate that the client showed.
func (h *handler) identify(req *message.Request, d *exchange.Decision) {
	id := d.Client.Identity
	if id == nil {
		return
	}
	req.Fields = append(req.Fields, id.Fields...)
	if h.certificate && len(id.Certificate.Name) > 0 {
		req.Fields = append(req.Fields, id.Certificate)
	}
}
