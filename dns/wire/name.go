package wire

import "strings"

// Key returns a name in the form of Query.Key. The name is in lower case, with
// or without its last dot, and without escapes; a label that is too long is a
// fault of the caller.
func Key(name string) string {
	name = strings.TrimSuffix(name, ".")
	key := make([]byte, 0, len(name)+2)
	for label := range strings.SplitSeq(name, ".") {
		if label != "" {
			key = append(append(key, byte(len(label))), label...)
		}
	}
	return string(append(key, 0))
}

// Parent is the key without its first label; the root, whose key is a single
// zero, has none.
func Parent(key []byte) []byte { return key[1+int(key[0]):] }
