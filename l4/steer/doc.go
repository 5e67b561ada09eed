// Package steer keeps the tables of slots that flows are placed by.
//
// What comes in: the spec, and the live target groups with their verdicts. What
// goes out: for each listener whose groups all balance by maglev a table, swapped
// whole when its targets changed and might; to whoever looks it up, and to who
// asked to be told. Where flows depend on tables, the nodes of a site agree on the
// generations in a store, from which a node that starts goes on.
//
// It never decides by itself when a change may be made: maglev.State does, which is
// pure. It never carries a packet, and goes on with what it has when the store
// fails.
//
// Start reading at Steer, then listener.go, and share.go.
package steer
