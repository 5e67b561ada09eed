package spec

// Route is an ordered list of rules for some hosts; listeners name it.
type Route struct {
	Name RouteName `json:"name" required:"true"`
	// Hosts are exact names, or *.example.com; none means every host.
	Hosts    []string `json:"hosts,omitempty"`
	Rules    []Rule   `json:"rules" required:"true"`
	Timeouts Timeouts `json:"timeouts,omitzero"`
}

// Rule says which requests it takes, what is done to them, and where they go.
// The first rule of a route that matches wins.
type Rule struct {
	// Match is a list of alternatives; none means every request.
	Match   []Match  `json:"match,omitempty"`
	Filters []Choice `json:"filters,omitempty" kind:"filter"`
	// TargetGroups share the requests by weight; none only where a filter answers.
	TargetGroups []GroupRef `json:"targetGroups,omitempty"`
	// Connect has the rule take CONNECT, and no other method: the client gets a
	// tunnel to a target, whatever it asks to be connected to. Rules without it
	// refuse CONNECT.
	Connect bool `json:"connect,omitempty"`
	// Split says by what requests are parted among the groups, so that those with
	// the same stay in one; unset means that each request draws.
	Split    *HashKey `json:"split,omitempty"`
	Sticky   *Sticky  `json:"sticky,omitempty"`
	Timeouts Timeouts `json:"timeouts,omitzero"`
	Retries  Retries  `json:"retries,omitzero"`
	// Priority of the rule's requests where the listener sheds; unset means normal.
	Priority Priority `json:"priority,omitempty" enum:"low|normal|high"`
}

// Sticky keeps a client on the group and target it was first sent to.
type Sticky struct {
	Cookie *StickyCookie `json:"cookie" required:"true"`
}

// StickyCookie remembers group and target in a signed cookie: no state is held.
type StickyCookie struct {
	Name string `json:"name,omitempty" default:"PORTICO"`
	// TTL is how long the cookie holds after it was set; 0 means until the browser closes.
	TTL Duration `json:"ttl,omitempty" range:"0s..8760h"`
}

// TargetGroup is a set of interchangeable targets with one health check and one balance.
type TargetGroup struct {
	Name TargetGroupName `json:"name" required:"true"`
	// Balance is how a target is chosen; unset means round-robin for requests
	// and maglev for flows.
	Balance *Choice `json:"balance,omitempty" kind:"balance"`
	// Health is the check; without one targets are trusted as they are listed.
	Health  *Health  `json:"health,omitempty"`
	Targets []Target `json:"targets" required:"true"`
	// WhenNoneHealthy is open (use all targets) or fail (use none).
	WhenNoneHealthy WhenNoneHealthy `json:"whenNoneHealthy,omitempty" default:"open" enum:"open|fail"`
	// Forward is how flows of tcp and udp listeners reach targets when it is the
	// kernel that forwards.
	Forward Forward `json:"forward,omitempty" default:"nat" enum:"gue|ip6ip6|ipip|nat|dsr"`
	// ProxyProtocol sends the client's address to targets of tcp and tls listeners.
	ProxyProtocol ProxyProtocol `json:"proxyProtocol,omitempty" enum:"v1|v2"`
	// CrossSite lets nodes of a site use targets of other sites too; nil means false.
	CrossSite *bool `json:"crossSite,omitempty"`
	// Protocol is what is spoken with targets of http and https listeners; unset
	// means h1.
	Protocol TargetProtocol `json:"protocol,omitempty" default:"h1" enum:"h1|h2|auto"`
	// TLS is how targets are greeted; unset means in plain text.
	TLS *TargetTLS `json:"tls,omitempty"`
	// TCP is how the sockets to targets are set.
	TCP    TCP         `json:"tcp,omitzero"`
	Limits GroupLimits `json:"limits,omitzero"`
	// SlowStart lets targets that become healthy take their share little by little.
	SlowStart *SlowStart `json:"slowStart,omitempty"`
	// PanicThreshold is the percentage of healthy targets below which all are used,
	// since the few that are left would break under the load; 0 means never.
	PanicThreshold int `json:"panicThreshold,omitempty" range:"0..100"`
	// Outliers ejects targets by how they answer; unset means never.
	Outliers *Outliers `json:"outliers,omitempty"`
	Timeouts Timeouts  `json:"timeouts,omitzero"`
}

// WhenNoneHealthy is what happens when health has nothing left to offer.
type WhenNoneHealthy string

// The answers to "nothing is healthy".
const (
	FailOpen   WhenNoneHealthy = "open" // all are used
	FailClosed WhenNoneHealthy = "fail" // none is used
)

// ProxyProtocol is the version of the PROXY header sent to a target; empty means none.
type ProxyProtocol string

// The versions of the PROXY header.
const (
	ProxyV1 ProxyProtocol = "v1" // a line of text
	ProxyV2 ProxyProtocol = "v2" // binary, with extensions
)

// Health is an active health check.
type Health struct {
	Check Choice `json:"check" required:"true" kind:"check"`
	Timing
}

// Target is one address that serves; its short form is the address.
type Target struct {
	Address AddrPort `json:"address" required:"true" short:"true"`
	// Name is what people call it; the address when empty.
	Name string `json:"name,omitempty"`
	// Site restricts the target to the nodes of one site; empty means all.
	Site SiteName `json:"site,omitempty"`
	// Weight is its share; 0 takes nothing new, without being unhealthy.
	Weight int `json:"weight" default:"1" range:"0..65535"`
	// Drain takes nothing new and lets the rest finish.
	Drain bool `json:"drain,omitempty"`
	// QUICServer is the id by which connection ids of QUIC name the target to udp
	// listeners; empty means that they do not.
	QUICServer QUICServer `json:"quicServer,omitempty"`
}

// Label is the target's name for people: Name, or else its address.
func (t Target) Label() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Address.String()
}
