// Package grpc lets the interoperability client and server of gRPC-Go talk to each
// other through the binary, over TLS and in plain text, and through nginx and
// HAProxy.
package grpc
