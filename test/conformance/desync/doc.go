// Package desync sends requests that two readers could split differently through
// Portico to an origin that records the bytes it got, alone and with nginx and
// HAProxy in between, and proves that all parties saw the same requests: what is
// forwarded has one meaning, anything else is the client's fault.
//
// The cases are files in testdata; see corpus_test.go for their form. Start
// reading at TestOneMeaning.
package desync
