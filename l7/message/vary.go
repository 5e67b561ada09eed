package message

import "bytes"

// Varies reports whether an answer says already that it depends on a header, or on
// everything; the name is in lower case.
func Varies(fields []Field, name string) bool {
	for i := range fields {
		if !EqualFold(fields[i].Name, "vary") {
			continue
		}
		for rest := fields[i].Value; len(rest) > 0; {
			var part []byte
			part, rest, _ = bytes.Cut(rest, []byte(","))
			if part = bytes.Trim(part, " \t"); EqualFold(part, name) || string(part) == "*" {
				return true
			}
		}
	}
	return false
}
