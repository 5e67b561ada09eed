package config_test

import (
	"fmt"
	"strings"

	"portico/spec"
)

// kinds are small stand-ins for the tables of the tiers.
func kinds() spec.Kinds {
	return spec.Kinds{
		"balance": {{Name: "round-robin"}, {Name: "least-conn"}, {Name: "maglev"}},
		"check": {
			{Name: "http", Params: func() any { return new(httpCheck) }},
			{Name: "tcp", Params: func() any { return new(tcpCheck) }},
		},
		"filter": {
			{Name: "requestHeaders", Params: func() any { return new(headers) }},
			{Name: "redirect", Params: func() any { return new(redirect) }},
			{Name: "respond", Params: func() any { return new(respond) }},
		},
		"policy": {
			{Name: "simple"},
			{Name: "weighted", Params: func() any { return new(map[spec.SiteName]int) }},
			{Name: "failover", Params: func() any { return new([]spec.SiteName) }},
		},
	}
}

type httpCheck struct {
	Path string `json:"path,omitempty" default:"/"`
	Port int    `json:"port,omitempty" range:"0..65535"`
}

type tcpCheck struct {
	Port int `json:"port,omitempty" range:"0..65535"`
}

type headers struct {
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

func (h *headers) Check() []spec.Problem {
	var problems []spec.Problem
	if len(h.Set)+len(h.Remove) == 0 {
		problems = append(problems, spec.Problem{What: "changes nothing", Help: "use set or remove"})
	}
	for i, name := range h.Remove {
		if strings.EqualFold(name, "host") {
			problems = append(problems, spec.Problemf(spec.At("remove", i), "%q is not a filter's to change", name))
		}
	}
	for name := range h.Set {
		if strings.EqualFold(name, "x.dots") {
			problems = append(problems, spec.Problem{Path: spec.At("set", name), What: fmt.Sprintf("%q is old", name), Level: spec.Warning})
		}
	}
	return problems
}

type redirect struct {
	Scheme string `json:"scheme,omitempty" enum:"http|https"`
	Code   int    `json:"code,omitempty" default:"302" enum:"301|302"`
}

type respond struct {
	Status int `json:"status" required:"true" range:"200..599"`
}
