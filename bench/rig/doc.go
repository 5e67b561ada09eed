//go:build linux

// Package rig is what the benches share: places for proxies and loaders, a network
// for them alone, processes that are started there, the CPU time they used, and the
// packages they come from.
//
// It measures nothing itself. Start reading at Seats, then Used.
package rig
