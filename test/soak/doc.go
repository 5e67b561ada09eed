// Package soak lets clients and targets misbehave at the binary for as long as
// SOAK says, and then proves that nothing stayed behind and that all counts agree:
// the process's own, the lines of its access log, and those of the clients.
//
// make soak runs it for ten minutes, the tests for a few seconds. Start reading at
// TestSoak; what clients do is in the table of users_test.go.
package soak
