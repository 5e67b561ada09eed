// Package framing plays scripts of varnishtest through the binary: what a client
// sends and what a target answers, byte by byte, and what each of them must get.
// nginx and HAProxy play the same scripts for comparison, but for those of HTTP/2.
package framing
