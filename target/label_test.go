package target_test

import (
	"testing"

	"portico/spec"
	"portico/target"
)

// A target's label is its name, or else its address, however it is written.
func TestLabel(t *testing.T) {
	groups := target.New(target.Options{})
	named, plain := spec.Target{Name: "one", Weight: 1}, spec.Target{Weight: 1}
	for _, a := range []struct {
		to   *spec.Target
		text string
	}{{&named, "10.0.0.1:80"}, {&plain, "[2001:db8::1]:80"}} {
		if err := a.to.Address.UnmarshalText([]byte(a.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := groups.Apply([]spec.TargetGroup{{Name: "g", Targets: []spec.Target{named, plain}}}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"one", "[2001:db8::1]:80"} {
		x := groups.Group("g").Targets()[i]
		if got := string(x.AppendLabel([]byte("> "))); got != "> "+want || x.Label() != want {
			t.Errorf("target %d is %q and %q, want %q", i, x.Label(), got, want)
		}
	}
}
