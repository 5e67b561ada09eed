package spec

import "net/netip"

// Match is one alternative; everything it names must hold.
type Match struct {
	Path *PathMatch `json:"path,omitempty"`
	// GRPC matches calls, in place of a path.
	GRPC *GRPCMatch `json:"grpc,omitempty"`
	// Methods lists the methods that match; none means every one.
	Methods []string `json:"methods,omitempty"`
	// Headers are matched by their whole value, any line of several; names ignore case.
	Headers map[string]TextMatch `json:"headers,omitempty"`
	// Query parameters are matched after decoding, any of several of one name.
	Query map[string]TextMatch `json:"query,omitempty"`
	// Cookies are matched as they were sent, without quotes around them.
	Cookies map[string]TextMatch `json:"cookies,omitempty"`
	// Sources are networks of which the client must be in one: the client that
	// the listener's trusted proxies name, else whoever connected.
	Sources []netip.Prefix `json:"sources,omitempty"`
}

// PathMatch matches the path, without query, as sent but with dot segments removed.
type PathMatch struct {
	Exact string `json:"exact,omitempty" oneof:"path"`
	// Prefix matches whole segments: /api takes /api and /api/x, not /apix.
	Prefix string `json:"prefix,omitempty" oneof:"path"`
	// Regex matches the whole path; see CompileRegex.
	Regex string `json:"regex,omitempty" oneof:"path"`
}

// TextMatch matches one value by its name; its short form is the exact value,
// and so is its zero value: the empty one.
type TextMatch struct {
	Exact  string `json:"exact,omitempty" oneof:"text" short:"true"`
	Prefix string `json:"prefix,omitempty" oneof:"text"`
	// Regex matches the whole value; see CompileRegex.
	Regex string `json:"regex,omitempty" oneof:"text"`
	// Present takes any value, Absent a request that has none.
	Present bool `json:"present,omitempty" oneof:"text" enum:"true"`
	Absent  bool `json:"absent,omitempty" oneof:"text" enum:"true"`
}

// GRPCMatch matches calls of gRPC and gRPC-Web: requests for /service/method
// whose content type begins with application/grpc. What is empty is any.
type GRPCMatch struct {
	// Service is the whole name, as in helloworld.Greeter.
	Service string `json:"service,omitempty"`
	Method  string `json:"method,omitempty"`
}
