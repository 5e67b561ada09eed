// Package bed starts Portico, nginx and HAProxy as processes of their own, each
// on loopback addresses that nobody else uses, for the tests that look at them
// from outside.
//
// What comes in: a test, and configurations with $NET for the first three numbers
// of its addresses. What goes out: running processes and what they printed; they
// end with the test. It never looks inside a proxy.
//
// Start reading at New and Bed.Portico.
package bed
