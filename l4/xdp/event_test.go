package xdp_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portico/l4/xdp"
)

// TestEvents proves that the kernel and Go number events alike, and that each has
// a name of its own.
func TestEvents(t *testing.T) {
	header, err := os.ReadFile("bpf/count.h")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(header), "enum event {")
	list, _, _ = strings.Cut(list, "};")
	inC := regexp.MustCompile(`(?m)^\t((?:EVENT|DROP)_\w+),`).FindAllStringSubmatch(list, -1)
	events := xdp.Events()
	if len(inC) != len(events)+1 {
		t.Fatalf("%d events in C, %d in Go", len(inC)-1, len(events))
	}
	var names []string
	for i, e := range events {
		c := inC[i+1][1]
		if drops := strings.HasPrefix(c, "DROP_"); drops != e.Drops() {
			t.Errorf("%s is event %d in C; in Go that is %q, which drops: %v", c, e, e, e.Drops())
		}
		last := c[strings.LastIndex(c, "_")+1:]
		if word := strings.ToLower(last); !strings.Contains(strings.TrimSuffix(e.String(), "-dropped"), word) {
			t.Errorf("%s is event %d in C; in Go that is %q", c, e, e)
		}
		if slices.Contains(names, e.String()) {
			t.Errorf("two events are %q", e)
		}
		names = append(names, e.String())
	}
}
