// Package steer keeps the tables of slots that flows are placed by.
//
// What comes in: the spec, and the live target groups with their verdicts. What
// goes out: for each listener whose groups all balance by maglev a table, swapped
// whole when its targets changed and might; to whoever looks it up, and to who
// asked to be told. Each table's generations are kept, so that a node that is
// started again goes on where it was.
//
// It never decides by itself when a change may be made: maglev.State does, which is
// pure. It never carries a packet, and goes on with what it has when its keeper
// fails or hangs.
//
// Start reading at Steer, then listener.go.
package steer
