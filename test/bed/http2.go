package bed

import (
	"io"
	"net"
	"testing"

	"portico/internal/clock"
)

// NeedHTTP2 skips a test where what listens at an address does not speak HTTP/2 by
// prior knowledge (RFC 9113, section 3.3).
func NeedHTTP2(tb testing.TB, address string) {
	tb.Helper()
	c, err := net.DialTimeout("tcp", address, hang)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(clock.Now().Add(hang))
	const settings = 4
	head := make([]byte, 9)
	_, err = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	if err == nil {
		_, err = io.ReadFull(c, head)
	}
	if err != nil || head[3] != settings {
		tb.Skipf("HTTP/2 is not spoken at %s: %q, %v", address, head, err)
	}
}
