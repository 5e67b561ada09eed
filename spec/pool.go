package spec

import "net/netip"

// PoolName names a Pool.
type PoolName string

// Pool is a stock of addresses that VIPs without addresses of their own are given.
// An address is kept as long as the VIP is there.
type Pool struct {
	Name PoolName `json:"name" required:"true"`
	// Addresses lists, by site, what may be given out: 198.51.100.0/28, or one address.
	Addresses map[SiteName][]netip.Prefix `json:"addresses" required:"true"`
	// Share lets VIPs have one address as long as their listeners have other ports.
	Share bool `json:"share,omitempty"`
}
