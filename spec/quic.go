package spec

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// QUICServerMax is how many bytes a QUICServer may have: as many as the kernel's table
// of them has room for. The draft allows 15; 2 tell 65,536 targets apart.
const QUICServerMax = 8

// QUICServer is the server id that a target writes into the connection ids it makes
// (draft-ietf-quic-load-balancers, section 3), in hexadecimal digits; empty means none.
type QUICServer string

// Bytes are those of the id: nil for none, and an error that says what is wrong.
func (q QUICServer) Bytes() ([]byte, error) {
	if q == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(strings.ToLower(string(q)))
	if err != nil {
		return nil, fmt.Errorf("%q is not hexadecimal digits in pairs", string(q))
	}
	if len(b) > QUICServerMax {
		return nil, fmt.Errorf("%q has %d bytes, and at most %d are looked at", string(q), len(b), QUICServerMax)
	}
	return b, nil
}
