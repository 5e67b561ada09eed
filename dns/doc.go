// Package dns is tier 0: a name becomes the VIP of a site that answers.
//
// What comes in: a spec, of which it takes the zones and the VIPs; what health says
// of each VIP at each site (Facts); and queries from anybody, over UDP and TCP.
//
// What goes out: replies with authority, packed before the query came. A record
// compiles to a pure decision, client and draw in, one of a few packed answers out;
// per query only the ID, the flags, the question as it was sent and EDNS are
// written anew. A change of health packs the answers it concerns again, off the
// path of the queries.
//
// It never resolves a name for anybody, never asks a VIP itself how it is, and
// never answers for a name outside its zones. Wildcards, zone transfers and DNSSEC
// are not there yet.
//
// Start reading at Server, then answer.go, which is the path of a query; table.go
// compiles it and decision.go keeps it up with health. Package wire holds the
// format, zone the names, policy the choices.
package dns
