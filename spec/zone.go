package spec

import "net/netip"

// Zone is a DNS zone this deployment answers for with authority.
type Zone struct {
	Name string `json:"name" required:"true"` // without the last dot
	SOA  SOA    `json:"soa,omitzero"`
	// Nameservers become the NS records of the apex, and glue where they are
	// inside the zone.
	Nameservers []Nameserver `json:"nameservers" required:"true"`
	Records     []Record     `json:"records,omitempty"`
	TTL         Duration     `json:"ttl,omitempty" default:"1m" range:"0s..168h"`
}

// SOA is the zone's start of authority.
type SOA struct {
	Mail    string   `json:"mail,omitempty"` // "hostmaster@…"; default hostmaster@ the zone
	Serial  uint32   `json:"serial,omitempty" default:"1"`
	Refresh Duration `json:"refresh,omitempty" default:"1h"`
	Retry   Duration `json:"retry,omitempty" default:"15m"`
	Expire  Duration `json:"expire,omitempty" default:"168h"`
	// Minimum bounds how long "no such name" is remembered (RFC 2308).
	Minimum Duration `json:"minimum,omitempty" default:"30s"`
}

// Nameserver is one NS record, with its addresses when it is in the zone.
type Nameserver struct {
	Name      string       `json:"name" required:"true" short:"true"` // relative, or absolute with a last dot
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// Record is what one name answers. A name may hold several kinds of data, but a
// cname stands alone, and a vip takes the place of a and aaaa.
type Record struct {
	// Name is relative to the zone; "@" is the apex; a last dot makes it absolute.
	Name  string       `json:"name" required:"true"`
	VIP   VIPName      `json:"vip,omitempty"` // alias to the VIP at each healthy site
	A     []netip.Addr `json:"a,omitempty"`
	AAAA  []netip.Addr `json:"aaaa,omitempty"`
	CNAME string       `json:"cname,omitempty"`
	TXT   []string     `json:"txt,omitempty"`
	NS    []string     `json:"ns,omitempty"`
	// Policy chooses among the sites of a vip; unset means simple.
	Policy *Choice `json:"policy,omitempty" kind:"policy"`
	// TTL of every answer; 0 means the zone's.
	TTL             Duration        `json:"ttl,omitempty" range:"0s..168h"`
	WhenNoneHealthy WhenNoneHealthy `json:"whenNoneHealthy,omitempty" default:"open" enum:"open|fail"`
}
