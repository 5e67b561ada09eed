package filter

import (
	"portico/l7/auth"
	"portico/l7/compress"
	"portico/l7/cors"
)

// All lists every filter.
var All = []Entry{
	{"ip", "let clients in by their address", newParams[IP], newIP},
	{"rateLimit", "limit how often requests come, by client or another key", newParams[RateLimit], newRateLimit},
	{"concurrencyLimit", "limit how many requests are under way, by client or another key", newParams[ConcurrencyLimit], newConcurrencyLimit},
	{"bodyLimit", "limit how large bodies of requests are", newParams[BodyLimit], newBodyLimit},
	{"buffer", "hold bodies until they are whole", newParams[Buffer], newBuffer},
	{"basicAuth", "let in who knows a user's password", newParams[auth.Basic], newBasicAuth},
	{"forwardAuth", "ask a service whether requests may pass", newParams[auth.Forward], newForwardAuth},
	{"compress", "compress answers in an encoding the client reads", newParams[compress.Params], newCompress},
	{"requestHeaders", "set, add and remove headers of requests", newParams[Headers], newRequestHeaders},
	{"responseHeaders", "set, add and remove headers of responses", newParams[Headers], newResponseHeaders},
	{"redirect", "send the client to another URL", newParams[Redirect], newRedirect},
	{"rewrite", "change host or path on the way to the target", newParams[Rewrite], newRewrite},
	{"respond", "answer with a fixed response", newParams[Respond], newRespond},
	{"errorPages", "pages in place of the bodies of errors", newParams[ErrorPages], newErrorPages},
	{"cors", "let pages of other origins read answers", newParams[cors.Params], newCORS},
	{"securityHeaders", "tell browsers what not to do", newParams[SecurityHeaders], newSecurityHeaders},
}

func newParams[T any]() any { return new(T) }
