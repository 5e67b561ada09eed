package message_test

import (
	"testing"

	"portico/l7/message"
)

// Vary is read as the list it is, on any line, whatever its case.
func TestVaries(t *testing.T) {
	for value, want := range map[string]bool{
		"origin": true, "Accept, ORIGIN": true, "a ,\torigin": true, "*": true, "a, *": true,
		"": false, "original": false, "accept": false, ",,": false,
	} {
		fields := []message.Field{{Name: []byte("X"), Value: []byte("origin")}, {Name: []byte("VARY"), Value: []byte(value)}}
		if got := message.Varies(fields, "origin"); got != want {
			t.Errorf("Vary: %q: %v, want %v", value, got, want)
		}
	}
}
