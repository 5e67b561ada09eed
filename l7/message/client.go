package message

import "net/netip"

// Client is what a connection knows of its client before any request.
type Client struct {
	Peer  netip.AddrPort // who connected, after a PROXY header
	Local netip.AddrPort // what it connected to: the VIP
	// Of the TLS handshake: the name asked for and the numbers of version and
	// cipher suite (crypto/tls).
	ServerName string
	Version    uint16
	Cipher     uint16
	TLS        bool // there was one
	// Identity is who the client's certificate says it is; nil without one.
	Identity *Identity
}

// Identity is what targets are told of the certificate of a client.
type Identity struct {
	// Fields are X-Client-Cert-Subject and the like.
	Fields []Field
	// Certificate is the whole of it, as Client-Cert (RFC 9440).
	Certificate Field
}
