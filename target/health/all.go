package health

import "portico/spec"

// All lists the checks, in the order they are documented.
func All() []Check {
	return []Check{
		{Name: TCPName, Summary: "a connection is accepted", Params: func() any { return new(TCP) }, New: newTCP},
		{Name: HTTPName, Summary: "a request over HTTP is answered as wanted", Params: func() any { return new(HTTP) }, New: newHTTP},
		{Name: HTTPSName, Summary: "a request over HTTPS is answered as wanted", Params: func() any { return new(HTTP) }, New: newHTTPS},
		{Name: Ready, Summary: "an l7 node says that it is ready", Internal: true, New: newReady},
	}
}

// Lookup returns the check of that name.
func Lookup(name string) (Check, bool) {
	for _, c := range All() {
		if c.Name == name {
			return c, true
		}
	}
	return Check{}, false
}

// Kinds are the checks a user may write, as alternatives of a spec.Choice.
func Kinds() []spec.Kind {
	var kinds []spec.Kind
	for _, c := range All() {
		if !c.Internal {
			kinds = append(kinds, spec.Kind{Name: c.Name, Summary: c.Summary, Params: c.Params})
		}
	}
	return kinds
}
