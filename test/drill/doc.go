// Package drill breaks Portico under load and counts what clients lose. Every
// node is a process of its own, killed with SIGKILL or drained with SIGTERM, as
// machines die and are upgraded; the clients resolve names and honor TTLs.
//
// The drills assert counts and order, never time: a request may fail only if it
// was under way when its server died, or if it began before every name server
// had noticed and every answer had expired.
package drill
