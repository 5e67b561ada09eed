// Package grades lets sslscan look at the TLS of the binary with no word about it
// in the spec, and of nginx and HAProxy as they are.
package grades
