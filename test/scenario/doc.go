// Package scenario tells stories about Portico in testdata/*.txtar: a config, the
// commands a person types, and what they see, through the real command line and
// over real sockets. Every portico of a story is a process of its own.
//
// See scenario_test.go for the commands that stories have beside those of
// testscript.
package scenario
