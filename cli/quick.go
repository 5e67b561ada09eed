package cli

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"portico/config"
)

// quickSource writes the spec that --listen and --to stand for, so that the
// first minute takes the same path as every later one.
func quickSource(listen string, to []string) (source, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, refusal{fmt.Errorf("--listen %s: use :8080 or 192.0.2.1:8080", listen)}
	}
	if host == "" {
		host = everyAddress()
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return nil, refusal{fmt.Errorf("--listen %s: %q is not an address; use :%s or 192.0.2.1:%s", listen, host, port, port)}
	}
	var targets strings.Builder
	for _, t := range to {
		if _, err := netip.ParseAddrPort(t); err != nil {
			return nil, refusal{fmt.Errorf("--to %s: use an address and a port, such as 127.0.0.1:3000", t)}
		}
		fmt.Fprintf(&targets, "      - %q\n", t)
	}
	text := fmt.Sprintf(`portico: v1
sites:
  - name: here
    nodes:
      - {name: quick, address: 127.0.0.1, roles: [l7]}
vips:
  - name: here
    addresses: {here: [%q]}
listeners:
  - {name: http, vip: here, port: %s, protocol: http, routes: [all]}
routes:
  - name: all
    rules:
      - targetGroups: [targets]
targetGroups:
  - name: targets
    balance: least-conn
    health: {check: tcp, interval: 2s}
    targets:
%s`, host, port, targets.String())
	from := []config.Source{{Name: "<flags>", Dir: ".", Text: []byte(text)}}
	return func() ([]config.Source, error) { return from, nil }, nil
}

// everyAddress is :: where the machine has IPv6, which takes IPv4 as well.
func everyAddress() string {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return "0.0.0.0"
	}
	_ = ln.Close()
	return "::"
}
