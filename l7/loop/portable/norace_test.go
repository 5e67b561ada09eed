//go:build !race

package portable_test

const raced = false
