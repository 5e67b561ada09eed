//go:build !linux

package agree

import "time"

// bootTime is not asked where nothing is agreed on.
func bootTime() time.Duration { return 0 }
