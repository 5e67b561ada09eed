//go:build !unix

package netx

// FilesMax is how many files the process may have open at once, or 0 when that
// is not known.
func FilesMax() int { return 0 }
