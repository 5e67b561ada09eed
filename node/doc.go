// Package node is one process's part of Portico: the tiers that its roles switch
// on, fed with one spec and one view of the targets.
//
// What comes in: a spec, already read by package config, and the name of the
// node to be. What goes out: running tiers, a status, and answers to explain.
//
// It never reads a file and never decides where a query, flow or request goes:
// the tiers do. They meet here and only here, through the small interfaces they
// declare themselves.
//
// Start reading at Node, then Apply; imply.go says what a node watches beyond
// the target groups a user wrote.
package node
