// Package streams looks at what has no end in sight: WebSocket between the client
// and the server of npm's ws, and server-sent events, through the binary, plain
// and over TLS. nginx and HAProxy play the WebSocket cases for comparison.
package streams
