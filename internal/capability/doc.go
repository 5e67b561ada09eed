// Package capability knows what of root's power a process has, and gives up what it
// does not need.
//
// What comes in: a set of capabilities, to ask for or to keep. What goes out: which
// the process has, how to grant one that is missing, and a process with fewer. It
// never gains any. On systems other than Linux a process has none.
//
// Start reading at Set.
package capability
