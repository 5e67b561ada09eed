package l7

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"portico/internal/bucket"
	"portico/internal/clock"
	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/h2"
	"portico/l7/hashkey"
	"portico/l7/kept"
	"portico/l7/route"
	"portico/l7/sticky"
	"portico/l7/tlsx"
	"portico/l7/transport"
	"portico/spec"
	"portico/target"
)

// What Limits leave at zero.
const (
	headDefault    = 32 << 10
	headersDefault = 100
)

// protocols are what clients of a listener may agree on, the best first.
func protocols(l *spec.Listener) []string {
	if l.SpeaksHTTP2() {
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// listening is what a spec says of one listener, compiled and immutable. It is
// shared by the sockets the listener is on.
type listening struct {
	s        *Server
	spec     *spec.Listener
	log      spec.AccessLog
	port     []byte
	bounds   exchange.Bounds
	timeouts spec.Timeouts
	redirect *filter.Redirect // of the whole listener; nil for none
	table    *route.Table
	rules    []rule // by the ID of the table's rule
	ranks    string // the header that says a priority, in lower case; empty for none
	count    *listenerCount
	rate     *bucket.Bucket // of new connections; nil for no bound
	tls      *tls.Config    // nil for http
	set      *tlsx.Set
	// certificate says that targets are sent the whole certificate of a client.
	certificate bool
}

// rule is a rule of the table with all that is done to its requests.
type rule struct {
	*route.Rule
	name     spec.RouteName // of its route
	filters  filter.Chain
	split    *hashkey.Key   // nil where each request draws its group
	cookie   *sticky.Cookie // nil without sticky
	groups   []groupOf      // as in Spec.TargetGroups; shared, see shared
	timeouts *spec.Timeouts // shared too
	attempts int
	retry    *exchange.Retry  // for what besides failed connections; nil for nothing
	budget   spec.RetryBudget // of retry
	count    *routeCount
	judged   []filterCount // by place in filters; nil for one that admits everything
}

// groupOf is one target group of a rule.
type groupOf struct {
	name     spec.TargetGroupName
	group    *target.Group // nil when there is none; the requests get 503
	via      *transport.Transport
	key      *hashkey.Key // nil when its balance does not hash
	timeouts spec.Timeouts
}

// group finds a target group of the rule by name.
func (r *rule) group(name spec.TargetGroupName) *groupOf {
	for i := range r.groups {
		if r.groups[i].name == name {
			return &r.groups[i]
		}
	}
	return nil
}

// compiler makes the listenings of one spec, each once.
type compiler struct {
	s      *Server
	want   *spec.Spec
	keys   *sticky.Keys
	routes map[spec.RouteName]*spec.Route
	groups map[spec.TargetGroupName]*spec.TargetGroup
	made   map[*spec.Listener]*listening
	turn   *kept.Turn
	vias   transport.Kept
	rates  map[spec.ListenerName]*bucket.Bucket
	shared shared
	set    *tlsx.Set // of certificates
}

func (s *Server) newCompiler(want *spec.Spec, set *tlsx.Set) *compiler {
	c := &compiler{
		s: s, want: want,
		routes: make(map[spec.RouteName]*spec.Route, len(want.Routes)),
		groups: make(map[spec.TargetGroupName]*spec.TargetGroup, len(want.TargetGroups)),
		made:   map[*spec.Listener]*listening{},
		turn:   s.kept.Turn(),
		vias:   transport.Kept{},
		rates:  map[spec.ListenerName]*bucket.Bucket{},
		shared: newShared(),
		set:    set,
	}
	for i := range want.Routes {
		c.routes[want.Routes[i].Name] = &want.Routes[i]
	}
	for i := range want.TargetGroups {
		c.groups[want.TargetGroups[i].Name] = &want.TargetGroups[i]
	}
	secrets := [][]byte{s.ownKey}
	if len(want.Secrets.Sticky) > 0 {
		secrets = nil
		for _, key := range want.Secrets.Sticky {
			secrets = append(secrets, key.Value)
		}
	}
	c.keys = sticky.NewKeys(secrets...)
	return c
}

// handler compiles what the spec says of a listener.
func (c *compiler) handler(l *spec.Listener) (*listening, error) {
	if made := c.made[l]; made != nil {
		return made, nil
	}
	t := spec.Inherit(l.Timeouts)
	h := &listening{
		s: c.s, spec: l, log: c.want.AccessLog, timeouts: t,
		port: strconv.AppendUint(nil, uint64(l.Port), 10),
		bounds: exchange.Bounds{
			Head: orDefault(int(l.Limits.Head), headDefault), Fields: orDefault(l.Limits.Headers, headersDefault),
			HeadTimeout: t.Head.D(), IdleTimeout: t.Idle.D(), HTTP2: h2.LimitsOf(l.HTTP2),
			Requests: l.Limits.ConnectionRequests, Age: l.Limits.ConnectionAge.D(),
		},
		redirect:    c.redirect(l),
		count:       c.s.metrics.listener(l.Name),
		rate:        c.rate(l),
		set:         c.set,
		certificate: l.TLS != nil && l.TLS.ClientAuth != nil && l.TLS.ClientAuth.ForwardCertificate,
	}
	if l.Protocol == spec.ProtocolHTTPS {
		config, problems := tlsx.Greet(tlsx.Options{Listener: l.TLS, Set: c.set, Tickets: &c.s.tickets, Protocols: protocols(l)})
		if len(problems) > 0 {
			return nil, fmt.Errorf("tls: %w", spec.Problems(problems))
		}
		h.tls = config
	}
	if l.Shedding != nil {
		h.ranks = strings.ToLower(l.Shedding.Header)
	}
	if r := l.Limits.MinRate; r != nil {
		h.bounds.RateLeast, h.bounds.RateWindow = int64(r.Bytes), r.Over.D()
	}
	var routes []*spec.Route
	for _, name := range l.Routes {
		r := c.routes[name]
		if r == nil {
			return nil, fmt.Errorf("route %q: no such route", name)
		}
		routes = append(routes, r)
	}
	table, err := route.Compile(routes)
	if err != nil {
		return nil, err
	}
	h.table = table
	h.rules = make([]rule, len(h.table.Rules()))
	counts := routeCounts{m: c.s.metrics, listener: l.Name, known: map[spec.RouteName]*routeCount{}}
	places := map[spec.RouteName]*kept.Place{}
	for i, from := range h.table.Rules() {
		at := places[from.Route.Name]
		if at == nil {
			at = c.turn.Place(from.Route.Name)
			places[from.Route.Name] = at
		}
		if err := c.rule(&h.rules[i], l, from, at); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		count := counts.of(from.Route.Name)
		h.rules[i].count = count
		h.rules[i].judged = c.s.metrics.judged(count, h.rules[i].filters.Judges())
	}
	c.made[l] = h
	return h, nil
}

// rate is the bucket that connections of a listener come from, on every socket it
// has: the one of the spec before where the rate is the same.
func (c *compiler) rate(l *spec.Listener) *bucket.Bucket {
	b := c.s.rates[l.Name].Keep(l.Limits.ConnectionRate, clock.Now())
	if b != nil {
		c.rates[l.Name] = b
	}
	return b
}

// rule compiles one rule of a listener's table.
func (c *compiler) rule(r *rule, l *spec.Listener, from *route.Rule, at *kept.Place) error {
	filters, err := filter.Compile(from.Spec.Filters, at)
	if err != nil {
		return err
	}
	r.Rule, r.name, r.filters = from, from.Route.Name, filters
	r.timeouts = c.shared.bounds(spec.Inherit(l.Timeouts, from.Route.Timeouts, from.Spec.Timeouts))
	r.attempts = attemptsOf(from.Spec.Retries)
	r.retry, r.budget = retryOf(from.Spec.Retries)
	if r.groups, err = c.groupsOf(from.Spec.TargetGroups, r.timeouts); err != nil {
		return err
	}
	r.split = hashkey.OfSplit(from.Spec.Split)
	if st := from.Spec.Sticky; st != nil && st.Cookie != nil {
		r.cookie = sticky.New(from.Route.Name, st.Cookie, from.Spec.TargetGroups, c.keys)
	}
	return nil
}

// groupsOf compiles the target groups of a rule with its timeouts.
func (c *compiler) groupsOf(refs []spec.GroupRef, timeouts *spec.Timeouts) ([]groupOf, error) {
	if made, ok := c.shared.group(refs, timeouts); ok {
		return made, nil
	}
	var groups []groupOf
	for _, ref := range refs {
		g := groupOf{name: ref.Name, group: c.s.o.Groups.Group(ref.Name), timeouts: *timeouts}
		g.key = hashkey.OfGroup(g.group)
		if want := c.groups[ref.Name]; want != nil {
			g.timeouts = want.Timeouts.Over(*timeouts)
			var err error
			if g.via, err = c.vias.Of(want, c.s.vias, target.TLS); err != nil {
				return nil, err
			}
		}
		groups = append(groups, g)
	}
	c.shared.keep(refs, timeouts, groups)
	return groups, nil
}

// redirect compiles the redirect of a whole listener. Its port is that of the
// https listener of the same VIP, where the spec names none.
func (c *compiler) redirect(l *spec.Listener) *filter.Redirect {
	if l.Redirect == nil {
		return nil
	}
	r := &filter.Redirect{Scheme: l.Redirect.Scheme, Port: l.Redirect.Port, Code: orDefault(l.Redirect.Code, 308)}
	for i := range c.want.Listeners {
		other := &c.want.Listeners[i]
		if r.Port == 0 && other.VIP == l.VIP && other.Protocol == spec.ProtocolHTTPS {
			r.Port = other.Port
		}
	}
	return r
}

// wanted says which addresses are those of a target.
func (c *compiler) wanted() func(netip.AddrPort) bool {
	addresses := map[netip.AddrPort]bool{}
	for i := range c.want.TargetGroups {
		for _, t := range c.want.TargetGroups[i].Targets {
			addresses[netip.AddrPortFrom(t.Address.Addr().Unmap(), t.Address.Port())] = true
		}
	}
	return func(a netip.AddrPort) bool { return addresses[a] }
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
