package l4_test

import (
	"bytes"
	"testing"

	"portico/l4"
	"portico/l4/flowtest"
	"portico/spec"
)

// FuzzQUICServer proves that an id is a part of the datagram of the length asked for,
// and nothing of a datagram too short to be one of QUIC.
func FuzzQUICServer(f *testing.F) {
	for _, c := range flowtest.Cases() {
		f.Add(c.Packet.Data, uint8(2))
	}
	f.Fuzz(func(t *testing.T, datagram []byte, n uint8) {
		length := 1 + int(n)%spec.QUICServerMax
		id := l4.QUICServer(datagram, length)
		if id == nil {
			return
		}
		if len(id) != length || len(datagram) < 2+spec.QUICServerMax || !bytes.Contains(datagram[2:], id) {
			t.Errorf("QUICServer(%x, %d) = %x", datagram, length, id)
		}
	})
}
