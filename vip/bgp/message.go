package bgp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// The sizes of messages (RFC 4271, section 4.1).
const (
	headerSize = 19
	sizeMax    = 4096
)

// readMessage reads a message. Of an UPDATE only the header is looked at: routers
// may send as many routes as they like.
func readMessage(in *bufio.Reader) (*bgp.BGPMessage, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return nil, err
	}
	size, kind := int(binary.BigEndian.Uint16(header[16:])), header[18]
	if [16]byte(header[:16]) != marker() {
		return nil, refuse(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_CONNECTION_NOT_SYNCHRONIZED, "what the router sends is not BGP")
	}
	if size < headerSize || size > sizeMax {
		return nil, refuse(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, "the router sent a message of %d bytes", size)
	}
	h := &bgp.BGPHeader{Len: uint16(size), Type: kind}
	if kind == bgp.BGP_MSG_UPDATE {
		_, err := in.Discard(size - headerSize)
		return &bgp.BGPMessage{Header: *h}, err
	}
	body := make([]byte, size-headerSize)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, err
	}
	m, err := bgp.ParseBGPBody(h, body)
	if err != nil {
		return nil, refusedMessage(kind, err)
	}
	return m, nil
}

func marker() (all [16]byte) {
	for i := range all {
		all[i] = 0xff
	}
	return all
}

// refusedMessage answers a message that gobgp cannot read as gobgp says.
func refusedMessage(kind uint8, err error) error {
	r := refuse(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_TYPE, "the router sent a message of type %d that cannot be read: %v", kind, err)
	if m, ok := errors.AsType[*bgp.MessageError](err); ok {
		r.code, r.subcode, r.data = m.TypeCode, m.SubTypeCode, m.Data
	}
	return r
}
