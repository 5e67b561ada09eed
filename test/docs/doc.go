// Package docs holds the documents to what the program does: every spec they
// show loads, every example starts, every command they name exists, and every
// metric is on its page.
//
// It reads the Markdown of the whole tree and runs nodes in this process, on
// loopback addresses drawn anew for each test, so that several runs do not meet.
//
// Start reading at the comment of each test; tree_test.go says where documents are.
package docs
