// Package policy chooses which of a record's sites answer a query. It is pure:
// no clock, socket or goroutine; the caller draws the randomness and hands in
// what health says.
//
// One policy is one file and one line in All. A policy is asked twice: Sites
// says once, for a record, which sites it would ever use; New then makes a
// Chooser of those that are in use, each time health changes. Use, in health.go,
// is the one place that decides which are.
package policy

import (
	"net/netip"

	"portico/spec"
)

// SitesMax is how many sites a policy may choose among.
const SitesMax = 64

// WeightMax is the largest weight of a site. SitesMax such weights add up in 32 bits.
const WeightMax = 65535

const _ = uint32(SitesMax * WeightMax)

// Default is the policy of a record that names none.
const Default = "simple"

// Site is a site that a policy would use, with its weight (1 where the policy
// knows no weights).
type Site struct {
	Name   spec.SiteName
	Weight int
}

// Query is what one choice depends on.
type Query struct {
	Draw   uint64       // uniformly random
	Client netip.Prefix // who asks, as closely as is known
}

// Chooser chooses among the sites it was built from. It is safe for use by
// several goroutines and does not allocate.
type Chooser interface {
	// Answers lists every answer that Choose may give, so that they can be packed
	// beforehand: each is indexes into the sites, in the order they are sent.
	Answers() [][]int
	// Choose returns the index of the answer to one query, or -1 when there is
	// none because there are no sites.
	Choose(q Query) int
	// Share is the part of all queries, from 0 to 1, that is answered with the
	// site first.
	Share(site int) float64
}

// Policy is one entry of All.
type Policy struct {
	Name    string
	Summary string
	Params  func() any // see spec.Kind; nil means no parameters
	// Sites lists those of the known sites that the policy would use, in its own
	// order. A site it does not list is never answered.
	Sites func(params any, known []spec.SiteName) []Site
	// Names lists the sites that the parameters name, known or not, sorted or in
	// the order written.
	Names func(params any) []spec.SiteName
	// New builds a chooser over sites that are in use, in the order of Sites. It
	// keeps the slice.
	New func(sites []Site) Chooser
}
