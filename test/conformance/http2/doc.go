// Package http2 runs h2spec against the binary, over TLS and in plain text, and
// against nginx and HAProxy.
package http2
