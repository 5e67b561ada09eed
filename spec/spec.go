package spec

import "net/netip"

// Version is the only value of the document's first key, "portico".
const Version = "v1"

// Names are typed so that the compiler refuses a swapped argument.
type (
	// SiteName names a Site.
	SiteName string
	// NodeName names a Node, unique over all sites.
	NodeName string
	// VIPName names a VIP.
	VIPName string
	// ListenerName names a Listener.
	ListenerName string
	// RouteName names a Route.
	RouteName string
	// TargetGroupName names a TargetGroup. Names the tiers imply for themselves
	// hold a colon, which no name a user writes may; see Imply.
	TargetGroupName string
)

// Spec is the whole desired state. Every node of every site is handed the same
// one. Its fields are read-only once it was applied.
//
// The struct tags are the schema, read by package config: json is the key,
// default the value of an absent key, range and enum what is allowed, kind the
// table a Choice is decoded with, short the field a plain scalar stands for,
// and required a key that must be there.
type Spec struct {
	// Portico is the version of the document, always "v1".
	Portico      string        `json:"portico" required:"true" enum:"v1"`
	Sites        []Site        `json:"sites,omitempty"`
	VIPs         []VIP         `json:"vips,omitempty"`
	Pools        []Pool        `json:"pools,omitempty"`
	Zones        []Zone        `json:"zones,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
	Listeners    []Listener    `json:"listeners,omitempty"`
	Routes       []Route       `json:"routes,omitempty"`
	TargetGroups []TargetGroup `json:"targetGroups,omitempty"`
	Secrets      Secrets       `json:"secrets,omitzero"`
	// Drain bounds how long a node that stops, or a listener that is removed,
	// waits for what is in flight before it closes it.
	Drain Duration `json:"drain,omitempty" default:"30s" range:"0s..24h"`
	// Buffers bounds the memory in which requests and answers under way wait, on one
	// node; 0 means half of what the process may use (GOMEMLIMIT, or else its control
	// group), or no bound where nothing says that.
	Buffers Size `json:"buffers,omitempty" range:"1MiB..1024GiB"`
	// AccessLog says how requests are logged.
	AccessLog AccessLog `json:"accessLog,omitempty" default:"json" enum:"json|common|off"`
}

// AccessLog is the format of the access log.
type AccessLog string

// The formats of the access log.
const (
	AccessLogJSON   AccessLog = "json"   // one JSON object a line
	AccessLogCommon AccessLog = "common" // the Common Log Format
	AccessLogOff    AccessLog = "off"    // no access log
)

// Secrets are keys that several nodes must share.
type Secrets struct {
	// Sticky signs sticky cookies: the first key signs, all verify. Without one
	// each process makes its own at start, and cookies do not outlive it.
	Sticky []Secret `json:"sticky,omitempty"`
	// Tickets encrypt TLS sessions: the first key encrypts, all decrypt. Without one
	// each process makes its own, and sessions are resumed there alone.
	Tickets []Secret `json:"tickets,omitempty"`
}

// Site is a place with its own nodes and VIPs: a region or a data center.
type Site struct {
	Name     SiteName `json:"name" required:"true" short:"true"`
	Location Location `json:"location,omitzero"`
	Nodes    []Node   `json:"nodes,omitempty"`
	// L4 is how its l4 nodes carry flows.
	L4 SiteL4 `json:"l4,omitzero"`
	// BGP is how its nodes speak to routers; unset means that they do not.
	BGP *BGP `json:"bgp,omitempty"`
}

// Location is where a site is, for DNS policies that weigh distance.
type Location struct {
	Country   string  `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Latitude  float64 `json:"latitude,omitempty" range:"-90..90"`
	Longitude float64 `json:"longitude,omitempty" range:"-180..180"`
}

// Role is a tier switched on in a node.
type Role string

// The roles a node can have.
const (
	RoleDNS Role = "dns"
	RoleVIP Role = "vip"
	RoleL4  Role = "l4"
	RoleL7  Role = "l7"
)

// Node is a machine running Portico.
type Node struct {
	Name NodeName `json:"name" required:"true"`
	// Address is where the other nodes reach this one, and the source of what
	// it sends to targets.
	Address netip.Addr `json:"address" required:"true"`
	Roles   []Role     `json:"roles" required:"true" enum:"dns|vip|l4|l7"`
	// DNS is where the dns role listens, UDP and TCP; none means Address:53.
	DNS []netip.AddrPort `json:"dns,omitempty"`
	// Interface is the network interface that VIPs are served and announced on;
	// none means the one that holds Address.
	Interface string `json:"interface,omitempty"`
	// Weight is the node's share of what l4 nodes hand to the l7 nodes of its site;
	// none means 1.
	Weight int `json:"weight,omitempty" range:"1..65535"`
	// Uplinks are the network interfaces that routers send packets of VIPs to an l4
	// node by, at most UplinksMax, for datapath xdp; none means the one that holds Address.
	Uplinks []string `json:"uplinks,omitempty"`
	// NAT are the addresses that targets see under forward: nat, at most NATMax of a
	// family, each the node's or routed to it; Address in a family that has none.
	NAT []netip.Addr `json:"nat,omitempty"`
}

// NATMax is how many addresses of NAT a node may have of each family.
const NATMax = 4

// UplinksMax is how many uplinks a node may have.
const UplinksMax = 8

// Announce is how the world learns that a node holds a VIP.
type Announce string

// The ways to announce a VIP.
const (
	AnnounceNone Announce = "none" // already routed here
	AnnounceBGP  Announce = "bgp"
	AnnounceARP  Announce = "arp"
)

// VIP is an address clients reach: in each site its own.
type VIP struct {
	Name VIPName `json:"name" required:"true"`
	// Addresses lists, by site, at most one address per family.
	Addresses map[SiteName][]netip.Addr `json:"addresses,omitempty"`
	// Pool gives the VIP its addresses where it has none of its own.
	Pool     PoolName `json:"pool,omitempty"`
	Announce Announce `json:"announce,omitempty" default:"none" enum:"none|bgp|arp"`
	// BGP is what its routes carry.
	BGP VIPRoutes `json:"bgp,omitzero"`
	// WhenNoneHealthy is what a node announces while every target of a listener
	// failed its checks: open (itself as the last choice of routers) or fail (nothing).
	WhenNoneHealthy WhenNoneHealthy `json:"whenNoneHealthy,omitempty" default:"open" enum:"open|fail"`
	// Health is how dns nodes probe the VIP at each site.
	Health VIPHealth `json:"health,omitzero"`
}

// VIPHealth is how dns nodes probe a VIP: at each site, every listener must
// answer. An http or https listener answers when a HEAD request for / gets any
// status below 500; a tcp listener when it accepts a connection.
type VIPHealth struct {
	// Listeners restricts the probes to these; none means all of the VIP.
	Listeners []ListenerName `json:"listeners,omitempty"`
	Timing
}

// Timing is the rhythm of a health check.
type Timing struct {
	// Interval is the time between two probes of one target, give or take 10 %.
	Interval Duration `json:"interval,omitempty" default:"5s" range:"100ms..1h"`
	// Timeout is how long one probe may take.
	Timeout Duration `json:"timeout,omitempty" default:"2s" range:"10ms..10m"`
	// Rise is how many probes in a row must pass before an unhealthy target is healthy.
	Rise int `json:"rise,omitempty" default:"2" range:"1..100"`
	// Fall is how many probes in a row must fail before a healthy target is unhealthy.
	Fall int `json:"fall,omitempty" default:"3" range:"1..100"`
}

// Certificate is a TLS certificate and the names it is served for.
type Certificate struct {
	// Hosts are matched against SNI: exact names, or *.example.com for one label.
	Hosts []string  `json:"hosts" required:"true"`
	Files CertFiles `json:"files" required:"true"`
}

// CertFiles are the PEM files of a certificate.
type CertFiles struct {
	Certificate File   `json:"certificate" required:"true"` // leaf first, then the chain
	Key         Secret `json:"key" required:"true"`
}

// Protocol is what a listener speaks.
type Protocol string

// The protocols of a listener.
const (
	ProtocolHTTP  Protocol = "http"
	ProtocolHTTPS Protocol = "https"
	ProtocolTCP   Protocol = "tcp"
	ProtocolUDP   Protocol = "udp"
	ProtocolTLS   Protocol = "tls" // passed through as it comes, by the name that clients ask for
)

// Known reports whether a listener may have the protocol.
func (p Protocol) Known() bool {
	switch p {
	case ProtocolHTTP, ProtocolHTTPS, ProtocolTCP, ProtocolUDP, ProtocolTLS:
		return true
	default:
		return false
	}
}

// IsHTTP reports whether the protocol ends at the L7 tier.
func (p Protocol) IsHTTP() bool { return p == ProtocolHTTP || p == ProtocolHTTPS }

// Transport is what carries the protocol: "tcp" or "udp". Listeners of both share a port.
func (p Protocol) Transport() string {
	if p == ProtocolUDP {
		return "udp"
	}
	return "tcp"
}

// Listener is a VIP, a port and a protocol.
type Listener struct {
	Name     ListenerName `json:"name" required:"true"`
	VIP      VIPName      `json:"vip" required:"true"`
	Port     uint16       `json:"port" required:"true" range:"1..65535"`
	Protocol Protocol     `json:"protocol" required:"true" enum:"http|https|tcp|udp|tls"`
	// HTTP2 is whether and how clients speak HTTP/2 (http and https); nil means that
	// they may, within the defaults.
	HTTP2 *HTTP2 `json:"http2,omitempty"`
	// Redirect sends every request elsewhere, before any route (http only).
	Redirect *ListenerRedirect `json:"redirect,omitempty"`
	// Routes are tried in order; the most specific host wins (http and https).
	Routes []RouteName `json:"routes,omitempty"`
	// TargetGroups share the flows by weight (tcp, udp; tls: those of no server).
	TargetGroups []GroupRef `json:"targetGroups,omitempty"`
	// Servers share out flows by the name that clients ask for (tls only).
	Servers []Server `json:"servers,omitempty"`
	// ProxyFrom are clients that must send a PROXY header, of version 1 or 2, which
	// says who the real client is (tcp and tls).
	ProxyFrom []netip.Prefix `json:"proxyFrom,omitempty"`
	// FlowLog writes a line for each flow that ended (tcp, udp and tls).
	FlowLog FlowLog `json:"flowLog,omitempty" default:"off" enum:"off|json"`
	// TrustedProxies are clients whose X-Forwarded-* headers are believed.
	TrustedProxies []netip.Prefix `json:"trustedProxies,omitempty"`
	// TLS is how clients are greeted (https only); unset means as the defaults say.
	TLS *ListenerTLS `json:"tls,omitempty"`
	// TCP is how the sockets of clients are set.
	TCP      ListenerTCP `json:"tcp,omitzero"`
	Timeouts Timeouts    `json:"timeouts,omitzero"`
	Limits   Limits      `json:"limits,omitzero"`
	// Shedding turns requests away by priority when there are too many; unset
	// means never.
	Shedding *Shedding `json:"shedding,omitempty"`
}

// Server is one or more names of a tls listener, and where their flows go.
type Server struct {
	// Hosts are exact names, or *.example.com for one label; exact ones go first.
	Hosts []string `json:"hosts" required:"true"`
	// TargetGroups share the flows by weight.
	TargetGroups []GroupRef `json:"targetGroups" required:"true"`
}

// FlowLog is the format of a flow log.
type FlowLog string

// The formats of a flow log.
const (
	FlowLogOff  FlowLog = "off"
	FlowLogJSON FlowLog = "json" // one JSON object a line
)

// ListenerRedirect sends a whole listener elsewhere; its short form is the scheme.
type ListenerRedirect struct {
	Scheme string `json:"scheme" required:"true" enum:"https" short:"true"`
	// Port of the new URL; 0 means that of the https listener of the same VIP.
	Port uint16 `json:"port,omitempty" range:"0..65535"`
	Code int    `json:"code,omitempty" default:"308" enum:"301|302|303|307|308"`
}

// Timeouts bound each phase of a connection or request. Zero inherits: target
// group over rule over route over listener over DefaultTimeouts. "off" (any
// negative value) means no bound.
type Timeouts struct {
	Connect  Duration `json:"connect,omitempty"`  // to a target, each try
	Head     Duration `json:"head,omitempty"`     // until a request head is whole
	Body     Duration `json:"body,omitempty"`     // between two reads of a body, either way
	Response Duration `json:"response,omitempty"` // from request sent to response head
	Idle     Duration `json:"idle,omitempty"`     // between two requests; for tcp, with no byte either way
	Tunnel   Duration `json:"tunnel,omitempty"`   // an upgraded connection with no byte either way
	Total    Duration `json:"total,omitempty"`    // a whole request; none by default
}

// Limits bound what one listener takes. Zero means the default.
type Limits struct {
	Connections int `json:"connections,omitempty" range:"0..10000000"` // at once; 0 means no limit but the process's files
	// ConnectionRate is how often new connections, or flows, come to one node; unset
	// means no limit.
	ConnectionRate *ConnectionRate `json:"connectionRate,omitempty"`
	Head           Size            `json:"head,omitempty" default:"32KiB" range:"1KiB..64KiB"`
	Headers        int             `json:"headers,omitempty" default:"100" range:"1..1000"`
	Body           Size            `json:"body,omitempty"` // 0 means no limit
	// ConnectionRequests and ConnectionAge are how many requests a connection of
	// HTTP/1 has, and how old it becomes, until the next answer closes it; 0 means
	// no limit.
	ConnectionRequests int      `json:"connectionRequests,omitempty" range:"0..1000000000"`
	ConnectionAge      Duration `json:"connectionAge,omitempty" range:"0s..8760h"`
	// MinRate is how fast clients must send and take bodies at least; unset means
	// that only pauses are bounded (timeouts.body).
	MinRate *MinRate `json:"minRate,omitempty"`
}

// GroupRef names a target group and its share; its short form is the name.
type GroupRef struct {
	Name   TargetGroupName `json:"name" required:"true" short:"true"`
	Weight int             `json:"weight" default:"1" range:"0..65535"`
}
