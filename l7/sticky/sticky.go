// Package sticky keeps a client on the target it was first sent to, by a signed
// cookie: no node holds any state, and every node of every site that knows the
// key understands the cookies of the others.
//
// What comes in: the Cookie fields of a request. What goes out: the target group
// and target they remember, the fields without that cookie (targets never see
// it), and the value of a Set-Cookie field. It is pure; whether the target may
// still be used is for the caller to ask the group.
//
// The cookie is base64url of version, group, target, expiry and the first half
// of an HMAC-SHA256 over them, the route's name and the cookie's name, so that a
// cookie is of no use to another route. Start reading at Cookie.
package sticky

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"

	"portico/l7/message"
	"portico/l7/pairs"
	"portico/spec"
)

const (
	version    = 1
	payloadLen = 1 + 8 + 8 + 8 // version, group, target, expiry
	macLen     = 16            // 128 bits
	cookieLen  = (payloadLen + macLen) / 3 * 4
	rest       = (payloadLen + macLen) % 3
	valueLen   = cookieLen + (rest*8+5)/6
)

// DefaultName is the cookie's name where the spec gives none.
const DefaultName = "PORTICO"

// Cookie is the sticky cookie of one rule.
type Cookie struct {
	name    string
	ttl     time.Duration
	keys    *Keys
	context []byte
	groups  []spec.GroupRef
	ids     []uint64 // of groups
}

// Session is what a cookie remembers.
type Session struct {
	Group  spec.TargetGroupName
	Target uint64 // the target's ID
}

// Verdict is what was found in a request.
type Verdict uint8

// The verdicts. Only of Valid there is a Session.
const (
	None     Verdict = iota // there is no such cookie
	Valid                   // and its session may go on
	Invalid                 // the cookie is not one of ours, or was tampered with
	Expired                 // its time is over
	Orphaned                // its target group is no longer one of the rule's
)

// String says the verdict as explain does.
func (v Verdict) String() string {
	return [...]string{"there is none", "is valid", "is not signed by any of our keys", "has expired", "names a target group the rule no longer has"}[v]
}

// New makes the cookie of a rule; the groups are those of the rule.
func New(route spec.RouteName, c *spec.StickyCookie, groups []spec.GroupRef, keys *Keys) *Cookie {
	s := &Cookie{name: c.Name, ttl: c.TTL.D(), keys: keys, groups: groups}
	if s.name == "" {
		s.name = DefaultName
	}
	// Neither name can hold a NUL, so no two pairs make the same context.
	s.context = []byte(string(route) + "\x00" + s.name + "\x00")
	for _, g := range groups {
		s.ids = append(s.ids, xxh3.HashString(string(g.Name)))
	}
	return s
}

// Name is the cookie's name.
func (c *Cookie) Name() string { return c.name }

// Read finds the session in a request's fields.
func (c *Cookie) Read(fields []message.Field, now time.Time) (Session, Verdict) {
	best, tries := None, 0
	for it := pairs.NewCookies(fields, c.name); tries < triesMax; tries++ {
		value, ok := it.Next()
		if !ok {
			break
		}
		s, v := c.decode(value, now)
		if v == Valid {
			return s, v
		}
		best = max(best, v)
	}
	return Session{}, best
}

// decode reads one value.
func (c *Cookie) decode(value []byte, now time.Time) (Session, Verdict) {
	var raw [payloadLen + macLen]byte
	if len(value) != valueLen {
		return Session{}, Invalid
	}
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], value)
	if err != nil || n != len(raw) || raw[0] != version {
		return Session{}, Invalid
	}
	if !c.keys.verify(c.context, raw[:payloadLen], raw[payloadLen:]) {
		return Session{}, Invalid
	}
	if until := int64(binary.BigEndian.Uint64(raw[17:])); until != 0 && now.Unix() >= until {
		return Session{}, Expired
	}
	group := binary.BigEndian.Uint64(raw[1:])
	for i, id := range c.ids {
		if id == group {
			return Session{Group: c.groups[i].Name, Target: binary.BigEndian.Uint64(raw[9:])}, Valid
		}
	}
	return Session{}, Orphaned
}

// Append writes the value of the Set-Cookie field that makes a client remember
// the session. Secure is for clients that came over TLS.
func (c *Cookie) Append(dst []byte, s Session, now time.Time, secure bool) []byte {
	var raw [payloadLen + macLen]byte
	raw[0] = version
	binary.BigEndian.PutUint64(raw[1:], xxh3.HashString(string(s.Group)))
	binary.BigEndian.PutUint64(raw[9:], s.Target)
	if c.ttl > 0 {
		binary.BigEndian.PutUint64(raw[17:], uint64(now.Add(c.ttl).Unix()))
	}
	c.keys.sign(0, c.context, raw[:payloadLen], raw[payloadLen:])
	dst = append(append(dst, c.name...), '=')
	dst = base64.RawURLEncoding.AppendEncode(dst, raw[:])
	dst = append(dst, "; Path=/; HttpOnly; SameSite=Lax"...)
	if c.ttl > 0 {
		dst = append(dst, "; Max-Age="...)
		dst = strconv.AppendInt(dst, int64(c.ttl/time.Second), 10)
	}
	if secure {
		dst = append(dst, "; Secure"...)
	}
	return dst
}
