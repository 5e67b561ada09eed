package zone

import (
	"fmt"
	"strings"

	"portico/dns/wire"
)

// apexName is how a record names its zone's own name.
const apexName = "@"

// absolute completes a name as it is written in a zone: "@" is the zone's own, a
// last dot says that the name is whole, and any other is below the zone's.
func absolute(name, apex string) string {
	switch {
	case name == apexName:
		return apex
	case strings.HasSuffix(name, "."):
		return strings.ToLower(name)
	}
	return strings.ToLower(name) + "." + apex
}

// fqdn is a name that is whole, in lower case and with its last dot.
func fqdn(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

// parent is the name without its first label; that of the root is the root.
func parent(name string) string {
	_, up, _ := strings.Cut(name, ".")
	if up == "" {
		return "."
	}
	return up
}

// within reports whether a name is the zone's or below it.
func within(name, apex string) bool {
	return name == apex || strings.HasSuffix(name, "."+apex)
}

// badName says why a whole name is none, and what would be; empty when it is.
func badName(name string) (what, help string) {
	bare := strings.TrimSuffix(name, ".")
	if bare == "" {
		return "is empty", "use a name such as www"
	}
	if len(bare)+2 > wire.NameMax {
		return fmt.Sprintf("is %d bytes long", len(bare)), fmt.Sprintf("a name has at most %d", wire.NameMax-2)
	}
	for label := range strings.SplitSeq(bare, ".") {
		switch {
		case label == "":
			return "has an empty label", "use one dot between labels"
		case len(label) > 63:
			return fmt.Sprintf("has a label of %d bytes", len(label)), "a label has at most 63"
		case label == "*":
			return "is a wildcard, which is not supported", "list the names"
		}
	}
	for _, c := range bare {
		switch {
		case c > 0x7f:
			return "is not ASCII", "write an international name as its xn-- form"
		case !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c):
			return fmt.Sprintf("holds %q", c), "use letters, digits, hyphens and underscores"
		}
	}
	return "", ""
}

// isMail reports whether a mail address can be written as a name.
func isMail(mail string) bool {
	local, domain, _ := strings.Cut(mail, "@")
	what, _ := badName(domain)
	return what == "" && local != "" && !strings.ContainsAny(local, "\"\\ ()<>@,;:") &&
		len(local) <= 63 && len(local)+len(domain)+3 <= wire.NameMax
}
