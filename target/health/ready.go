package health

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"portico/internal/netx/proxy"
)

const (
	readyLine = "ready"
	// readyLineMax bounds the line that says whether a node is ready.
	readyLineMax = 64
)

// newReady is the check that l4 nodes make of l7 nodes, on the very socket that
// flows are sent to: a PROXY v2 header that carries our question instead of a
// client. The node answers with one line: "ready", or why it is not.
func newReady(any, Options) Probe {
	return func(ctx context.Context, dial Dial, to netip.AddrPort) error {
		conn, err := connect(ctx, dial, to)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write(proxy.AppendReadiness(nil)); err != nil {
			return while("the readiness line", err)
		}
		line, err := bufio.NewReader(io.LimitReader(conn, readyLineMax)).ReadString('\n')
		if err != nil {
			if len(line) == readyLineMax {
				return fmt.Errorf("not a readiness line: %q", line)
			}
			return while("the readiness line", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line != readyLine {
			return fmt.Errorf("l7 node is %s", cmp.Or(line, "silent"))
		}
		return nil
	}
}
