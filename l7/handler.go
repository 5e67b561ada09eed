package l7

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/filter"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/sticky"
	"portico/target"
	"portico/target/balance"
)

// handler decides for one listener on one socket, under one spec. It is
// immutable but for counters.
type handler struct {
	*listening
	live *listener
	// probers are the dns nodes, which probe VIPs from there.
	probers []netip.Addr
}

var _ exchange.Handler = (*handler)(nil)

// state is what a handler remembers from Begin to End of a request.
type state struct {
	rule    *rule    // nil when none took the request
	choice  *groupOf // nil when none was chosen
	host    []byte   // with port, as the client sent it
	id      []byte   // of the request
	waiter  target.Waiter
	only    *target.Target // that the request waits for; nil means any
	key     uint64         // for balances that hash; see keyed
	keyed   bool           // key was computed
	sent    time.Time      // when the request was given to its target
	counted bool           // in flight, for Shedding
	https   bool           // the client asked for https
	set     bool           // the answer sets the sticky cookie
	line    []byte         // of the access log; memory only
	match   filter.Match
	visit   filter.Visit // of match
}

// stateOf returns the state for a new request, in the memory of an older one.
func stateOf(d *exchange.Decision) *state {
	st, ok := d.State.(*state)
	if !ok {
		st = &state{}
		d.State = st
	}
	*st = state{line: st.line[:0], visit: st.visit}
	return st
}

// Bounds are those of the listener.
func (h *handler) Bounds() *exchange.Bounds { return &h.bounds }

// Begin routes a request and chooses its target.
func (h *handler) Begin(req *message.Request, d *exchange.Decision) {
	st := stateOf(d)
	h.count.active.Inc()
	d.Timeouts, d.BodyLimit = h.timeouts, int64(h.spec.Limits.Body)
	st.host = req.Authority
	h.forward(req, d, st)
	if h.leaving(req) {
		h.answer(d, st, 503)
		return
	}
	if h.redirect != nil {
		h.redirectAll(req, d, st)
		return
	}
	found, ok := h.table.Match(req)
	if !ok {
		h.answer(d, st, unrouted(req))
		return
	}
	r := &h.rules[found.Rule.ID]
	st.rule, st.match = r, filter.Match{Prefix: found.Path, HTTPS: st.https, ID: st.id, Now: d.Now, Visit: &st.visit}
	d.Route, d.Rule = r.name, r.Index
	d.Timeouts, d.Attempts, d.Retry = *r.timeouts, r.attempts, r.retry
	if h.shed(req, d, st) {
		return
	}
	if len(req.Authority) == 0 && req.Local.IsValid() {
		ask(req, d)
	}
	if r.filters.Request(req, st.match, d); d.Fixed != nil || d.Pending {
		return
	}
	h.filtered(req, d, st)
}

// unrouted is the status of a request that no rule takes.
func unrouted(req *message.Request) int {
	if message.Connects(req) {
		return 501 // nobody asked for a forward proxy
	}
	return 404
}

// Resume goes on with the queue or the filter that had the request wait.
func (h *handler) Resume(req *message.Request, d *exchange.Decision, now time.Time) {
	st := d.State.(*state)
	if st.waiter.Waits() {
		h.dequeue(req, d, st, now)
		return
	}
	if st.rule.filters.Resume(req, st.match, d, now); d.Fixed != nil || d.Pending {
		return
	}
	h.filtered(req, d, st)
}

// filtered goes on with a request that its rule's filters let through.
func (h *handler) filtered(req *message.Request, d *exchange.Decision, st *state) {
	h.choose(req, d, st)
	if st.rule.retry != nil && st.choice != nil && st.choice.group != nil {
		st.choice.group.Requested(d.At)
	}
}

// ask makes a request without Host, as HTTP/1.0 allows, one to the VIP it came to
// (RFC 9112, section 3.3): targets refuse an empty Host.
func ask(req *message.Request, d *exchange.Decision) {
	from := len(d.Scratch)
	d.Scratch = req.Local.AppendTo(d.Scratch)
	req.Authority = d.Scratch[from:len(d.Scratch):len(d.Scratch)]
}

// leaving reports whether a request is the probe of a dns node that should learn
// that this node stops, while clients are served on. See spec.VIPHealth.
func (h *handler) leaving(req *message.Request) bool {
	return len(h.probers) > 0 && h.s.leaving.Load() &&
		string(req.Method) == "HEAD" && slices.Contains(h.probers, req.Peer.Addr())
}

// redirectAll sends a request to the https listener.
func (h *handler) redirectAll(req *message.Request, d *exchange.Decision, st *state) {
	if len(req.Authority) == 0 {
		h.answer(d, st, 400) // HTTP/1.0 without Host: there is nowhere to send it
		return
	}
	filter.Answer(d, h.redirect.Code, func(dst []byte) []byte {
		return h.redirect.Append(dst, req, filter.Match{HTTPS: st.https})
	})
}

// choose sets the target of a request: that of its session, or else a new one.
func (h *handler) choose(req *message.Request, d *exchange.Decision, st *state) {
	r := st.rule
	if r.cookie != nil && h.resume(req, d, st) {
		return
	}
	i := h.part(req, d, r)
	if i < 0 {
		return // no target: 503
	}
	st.choice = &r.groups[i]
	d.Group, d.Timeouts = st.choice.name, st.choice.timeouts
	h.pick(req, d, st)
}

// part returns the index of a target group for a request without a session; -1 for
// none.
func (h *handler) part(req *message.Request, d *exchange.Decision, r *rule) int {
	if r.split == nil {
		return r.Choose(balance.Mix(d.Draw, 0))
	}
	var key uint64
	key, d.Scratch = r.split.Of(req, d.Scratch)
	return r.Keep(key)
}

// resume sends a request where its cookie says, and reports whether it did.
func (h *handler) resume(req *message.Request, d *exchange.Decision, st *state) bool {
	r := st.rule
	session, verdict := r.cookie.Read(req.Fields, d.Now)
	if verdict != sticky.None {
		req.Fields, d.Scratch = r.cookie.Strip(req.Fields, d.Scratch)
	}
	if verdict != sticky.Valid {
		st.set = true
		return false
	}
	c := r.group(session.Group)
	if c == nil || c.group == nil {
		st.set = true
		return false
	}
	st.choice = c
	d.Group, d.Timeouts = c.name, c.timeouts
	if t := c.group.Resume(session.Target); t != nil {
		if t.TryBegin() {
			h.send(req, d, st, t)
		} else {
			h.enqueue(req, d, st, t)
		}
		return true
	}
	h.moved(d, st, "target gone or unhealthy")
	return h.pick(req, d, st)
}

// moved notes that a session goes to another target than before.
func (h *handler) moved(d *exchange.Decision, st *state, why string) {
	st.set = true
	h.s.metrics.moved.Inc()
	if others, ok := h.s.moved.now(d.Now); ok {
		h.s.o.Log.Warn("sticky session moved", "listener", h.spec.Name, "route", d.Route, "group", d.Group,
			"why", why, "others", others)
	}
}

// pick sets a target of the chosen group, has the request wait for one or turns it
// away, and reports whether the group has any.
func (h *handler) pick(req *message.Request, d *exchange.Decision, st *state) bool {
	if st.choice.group == nil {
		return false
	}
	t, full := st.choice.group.Take(st.query(req, d), d.Tried)
	switch {
	case t != nil:
		h.send(req, d, st, t)
	case full:
		h.enqueue(req, d, st, nil)
	default:
		return false
	}
	return true
}

// query is what the choice of the next target depends on.
func (st *state) query(req *message.Request, d *exchange.Decision) balance.Query {
	if k := st.choice.key; k != nil && !st.keyed {
		st.key, d.Scratch = k.Of(req, d.Scratch)
		st.keyed = true
	}
	return balance.Query{Key: st.key, Draw: balance.Mix(d.Draw, 1+len(d.Tried)), Now: d.At}
}

// send makes a target of the chosen group, where the request was counted, the one
// it goes to.
func (h *handler) send(req *message.Request, d *exchange.Decision, st *state, t *target.Target) {
	st.sent = d.At
	d.Target, d.Address, d.Via = t, t.Address(), st.choice.via.For(req.Authority)
}

// Response filters the head of an answer and sets the sticky cookie.
func (h *handler) Response(req *message.Request, resp *message.Response, d *exchange.Decision) {
	st := d.State.(*state)
	st.rule.filters.Response(req, resp, st.match, d)
	if !st.set {
		return
	}
	from := len(d.Scratch)
	session := sticky.Session{Group: d.Group, Target: d.Target.ID()}
	d.Scratch = st.rule.cookie.Append(d.Scratch, session, d.Now, st.https)
	resp.Fields = append(resp.Fields, message.Field{Name: nameCookie, Value: d.Scratch[from:len(d.Scratch):len(d.Scratch)]})
}

// Fail tells a client that its request went wrong, with the id it was logged by.
func (h *handler) Fail(req *message.Request, d *exchange.Decision, status int, _ outcome.Why) {
	if !d.Begun {
		return
	}
	st := d.State.(*state)
	st.leaveQueue(true)
	if h.answer(d, st, status); st.rule != nil {
		st.rule.filters.Fixed(req, st.match, d)
	}
}

var (
	nameCookie = []byte("Set-Cookie")
	nameType   = []byte("Content-Type")
	valueText  = []byte("text/plain; charset=utf-8")
)

// answer makes a plain answer: the status, and the id of the request.
func (h *handler) answer(d *exchange.Decision, st *state, status int) {
	from := len(d.Scratch)
	d.Scratch = strconv.AppendInt(d.Scratch, int64(status), 10)
	d.Scratch = append(append(d.Scratch, ' '), http1.StatusText(status)...)
	d.Scratch = append(append(append(d.Scratch, "\nrequest "...), st.id...), '\n')
	d.Answer.Status, d.Answer.Body, d.Answer.Close = status, d.Scratch[from:len(d.Scratch):len(d.Scratch)], false
	d.Answer.Fields = append(d.Answer.Fields[:0],
		message.Field{Name: nameType, Value: valueText}, message.Field{Name: nameID, Value: st.id})
	d.Fixed = &d.Answer
}
