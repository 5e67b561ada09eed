// Package l7 is tier 3 of the path: a request that came to a listener is routed,
// changed where its rule says so, and sent to a target.
//
// What comes in: the spec, live views of target groups, and connections, either
// of clients or of l4 nodes that name the client in a PROXY header. What goes
// out: requests to targets and their answers to clients, one line of the access
// log for each, and connections closed with a reason that is counted.
//
// It never reads a file, never decides what is healthy, and never holds a session:
// a signed cookie does. What is decided is decided in packages below that do no
// I/O (exchange, route, filter, sticky); what moves bytes is a driver of package
// loop. A request is served by the tables that were current when it began.
//
// Start reading at Server, then handler.Begin.
package l7
