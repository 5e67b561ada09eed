package cors

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"portico/l7/message"
)

// Policy is Params, compiled.
type Policy struct {
	origins *Origins
	methods []byte // nil for those that are asked for
	headers []byte
	expose  []byte
	maxAge  []byte
	// same says that all origins are answered the same.
	same, credentials bool
}

// NewPolicy compiles parameters. It fails for those that Check refuses.
func NewPolicy(p *Params) (*Policy, error) {
	origins, err := New(p.Origins)
	if err != nil {
		return nil, err
	}
	c := &Policy{origins: origins, same: origins.Any() && !p.Credentials, credentials: p.Credentials}
	if !slices.Contains(p.Methods, Any) {
		c.methods = []byte(strings.Join(append([]string{"GET", "HEAD", "POST"}, p.Methods...), ", "))
	}
	if !slices.Contains(p.Headers, Any) {
		c.headers = []byte(strings.Join(p.Headers, ", "))
	}
	c.expose = []byte(strings.Join(p.Expose, ", "))
	c.maxAge = strconv.AppendInt(nil, int64(p.MaxAge.D()/time.Second), 10)
	return c, nil
}

var (
	nameVary          = []byte("Vary")
	valueOrigin       = []byte("Origin")
	valueVary         = []byte("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	valueStar         = []byte("*")
	valueTrue         = []byte("true")
	nameAllowOrigin   = []byte("Access-Control-Allow-Origin")
	nameAllowCreds    = []byte("Access-Control-Allow-Credentials")
	nameAllowMethods  = []byte("Access-Control-Allow-Methods")
	nameAllowHeaders  = []byte("Access-Control-Allow-Headers")
	nameExposeHeaders = []byte("Access-Control-Expose-Headers")
	nameMaxAge        = []byte("Access-Control-Max-Age")
)

// Asks reports whether a request is the question that a browser asks before the
// request that a page wants to send.
func Asks(req *message.Request) bool {
	return string(req.Method) == "OPTIONS" && OriginOf(req) != nil &&
		message.Get(req.Fields, "access-control-request-method") != nil
}

// Varies is the field that every answer to such a question has.
func Varies() message.Field { return message.Field{Name: nameVary, Value: valueVary} }

// Allows reports whether pages of the request's origin may read what is answered.
func (c *Policy) Allows(req *message.Request) bool {
	if c.same {
		return true
	}
	origin := OriginOf(req)
	return origin != nil && c.origins.Has(origin)
}

// Preflight appends the answer to a question of a page that is allowed to ask. It
// becomes whole by Answer, as every answer does.
func (c *Policy) Preflight(fields []message.Field, req *message.Request) []message.Field {
	method, headers := c.methods, c.headers
	if method == nil {
		method = message.Get(req.Fields, "access-control-request-method")
	}
	if headers == nil {
		headers = message.Get(req.Fields, "access-control-request-headers")
	}
	fields = append(fields, Varies(), message.Field{Name: nameAllowMethods, Value: method})
	if len(headers) > 0 {
		fields = append(fields, message.Field{Name: nameAllowHeaders, Value: headers})
	}
	return append(fields, message.Field{Name: nameMaxAge, Value: c.maxAge})
}

// Answer says in the fields of an answer whether the page may read it. What the
// target says of that itself is dropped: two voices are none to a browser.
func (c *Policy) Answer(fields []message.Field, req *message.Request) []message.Field {
	fields = message.Del(fields, "access-control-allow-origin")
	fields = message.Del(fields, "access-control-allow-credentials")
	fields = message.Del(fields, "access-control-expose-headers")
	origin := valueStar
	if !c.same {
		origin = OriginOf(req)
		if !message.Varies(fields, "origin") {
			fields = append(fields, message.Field{Name: nameVary, Value: valueOrigin})
		}
	}
	if !c.Allows(req) {
		return fields
	}
	fields = append(fields, message.Field{Name: nameAllowOrigin, Value: origin})
	if c.credentials {
		fields = append(fields, message.Field{Name: nameAllowCreds, Value: valueTrue})
	}
	if len(c.expose) > 0 {
		fields = append(fields, message.Field{Name: nameExposeHeaders, Value: c.expose})
	}
	return fields
}

// OriginOf is the origin of the page that sent a request; nil when there is none,
// or more than one.
func OriginOf(req *message.Request) []byte {
	var origin []byte
	for i := range req.Fields {
		if f := &req.Fields[i]; message.EqualFold(f.Name, "origin") {
			if origin != nil {
				return nil
			}
			origin = f.Value
		}
	}
	return origin
}
