package cli

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"portico/spec"
)

// quickSource writes the spec that --listen and --to stand for, so that the
// first minute takes the same path as every later one.
func quickSource(listen string, to []string) (source, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return source{}, refusal{fmt.Errorf("--listen %s: use :8080 or 192.0.2.1:8080", listen)}
	}
	addresses := []string{host}
	if host == "" {
		addresses = everyAddress()
	} else if _, err := netip.ParseAddr(host); err != nil {
		return source{}, refusal{fmt.Errorf("--listen %s: %q is not an address; use :%s or 192.0.2.1:%s", listen, host, port, port)}
	}
	var targets strings.Builder
	for _, t := range to {
		if _, err := netip.ParseAddrPort(t); err != nil {
			return source{}, refusal{fmt.Errorf("--to %s: use an address and a port, such as 127.0.0.1:3000", t)}
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
    addresses: {here: [%s]}
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
%s`, `"`+strings.Join(addresses, `", "`)+`"`, port, targets.String())
	from := []spec.Source{{Name: "<flags>", Dir: ".", Text: []byte(text)}}
	return source{read: func() ([]spec.Source, error) { return from, nil }}, nil
}

// everyAddress lists the wildcard of each family that the machine has: a listener
// takes the one of its address alone.
func everyAddress() []string {
	var wildcards []string
	for _, family := range []struct{ loopback, wildcard string }{{"127.0.0.1:0", "0.0.0.0"}, {"[::1]:0", "::"}} {
		if ln, err := net.Listen("tcp", family.loopback); err == nil {
			_ = ln.Close()
			wildcards = append(wildcards, family.wildcard)
		}
	}
	return wildcards
}
