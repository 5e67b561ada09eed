// Package netns gives a test network namespaces of its own: hosts and routers that
// are joined by veth pairs and share nothing else.
//
// In come names and addresses; out go namespaces that programs run in (Command,
// Start) or functions of the test (Run). It never touches the namespace of the test
// itself. Everything it made is gone when the test ends, however it ends: processes
// by their ids, namespaces by their names, which no other test run shares. Linux
// and root only; a test without them is skipped.
//
// Start reading at New.
package netns
