//go:build race

package engine_test

// raced says that the race detector runs, under which a sync.Pool forgets at random.
const raced = true
