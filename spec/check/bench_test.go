package check_test

import (
	"fmt"
	"testing"

	"portico/spec"
	"portico/spec/check"
)

// Ten thousand routes of one listener, and ten thousand rules of one route, are
// checked in a moment.
func BenchmarkSpec(b *testing.B) {
	s := good()
	s.Listeners[1].Routes = nil
	for i := range 10_000 {
		name := spec.RouteName(fmt.Sprint("r", i))
		s.Routes = append(s.Routes, spec.Route{Name: name, Hosts: []string{fmt.Sprintf("h%d.wild.example.com", i)}, Rules: s.Routes[0].Rules})
		s.Listeners[1].Routes = append(s.Listeners[1].Routes, name)
	}
	many := spec.Route{Name: "many"}
	for i := range 10_000 {
		many.Rules = append(many.Rules, spec.Rule{Match: []spec.Match{{Path: prefix(fmt.Sprintf("/a/b/c%d", i))}}, TargetGroups: []spec.GroupRef{ref("web")}})
	}
	s.Routes = append(s.Routes, many)
	s.Certificates[0].Hosts = []string{"*.wild.example.com"}
	for b.Loop() {
		if problems := check.Spec(s); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	}
}
