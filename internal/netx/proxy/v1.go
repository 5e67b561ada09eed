package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// v1Max is the longest line of version 1, with its end (section 2.1).
const v1Max = 107

// AppendV1 writes the header of version 1 after dst: a line of text, without any
// extension. Addresses of two families are both written as IPv6.
func AppendV1(dst []byte, h Header) []byte {
	source, destination := unmap(h.Source), unmap(h.Destination)
	if h.Local || !source.IsValid() || !destination.IsValid() {
		return append(dst, "PROXY UNKNOWN\r\n"...)
	}
	from, to, family := source.Addr(), destination.Addr(), "TCP4"
	if !from.Is4() || !to.Is4() {
		from, to, family = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16()), "TCP6"
	}
	dst = append(append(dst, v1Prefix...), family...)
	dst = from.AppendTo(append(dst, ' '))
	dst = to.AppendTo(append(dst, ' '))
	dst = strconv.AppendUint(append(dst, ' '), uint64(source.Port()), 10)
	dst = strconv.AppendUint(append(dst, ' '), uint64(destination.Port()), 10)
	return append(dst, "\r\n"...)
}

// ParseAny is Parse for both versions.
func ParseAny(buf []byte) (h Header, n int, err error) {
	h, n, err = Parse(buf)
	if !errors.Is(err, ErrVersion1) {
		return h, n, err
	}
	end := bytes.Index(buf[:min(len(buf), v1Max)], []byte("\r\n"))
	if end < 0 {
		if len(buf) >= v1Max {
			return Header{}, 0, fmt.Errorf("PROXY header: a line of more than %d bytes", v1Max)
		}
		return Header{}, 0, nil
	}
	if h, err = parseLine(string(buf[:end])); err != nil {
		return Header{}, 0, err
	}
	return h, end + len("\r\n"), nil
}

// parseLine reads the line without its end. One space stands between its parts.
func parseLine(line string) (Header, error) {
	part := strings.Split(line, " ")
	if len(part) > 1 && part[1] == "UNKNOWN" {
		return Header{}, nil // what follows is to be ignored
	}
	const parts = 6
	if len(part) != parts || part[1] != "TCP4" && part[1] != "TCP6" {
		return Header{}, errors.New("PROXY header: version 1 without family, two addresses and two ports")
	}
	source, err := parseV1Address(part[1], part[2], part[4])
	if err != nil {
		return Header{}, err
	}
	destination, err := parseV1Address(part[1], part[3], part[5])
	if err != nil {
		return Header{}, err
	}
	return Header{Source: source, Destination: destination}, nil
}

func parseV1Address(family, addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" || a.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, fmt.Errorf("PROXY header: %q is no address of %s", addr, family)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("PROXY header: %q is no port", port)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}
