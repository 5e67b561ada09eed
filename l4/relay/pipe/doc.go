// Package pipe keeps the pipes that bulk data passes through without being copied to the
// process: few, because a flow has one only while its bytes are on the way.
//
// What comes in: how many files the process may have. What goes out: empty pipes, and
// none where there are as many as may be. It moves no bytes itself, and belongs to one
// event loop.
//
// Start reading at Pool.
package pipe
