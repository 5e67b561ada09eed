//go:build !linux

package capability

// Have is the set that the process can use now.
func Have() Set { return 0 }

// Keep has nothing to give up here.
func Keep(Set, Set) error { return nil }

// OpenPort is the first port that is anybody's.
func OpenPort() uint16 { return openPort }
