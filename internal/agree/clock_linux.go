package agree

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is how long ago the machine was started, time asleep included.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // Linux has had it since 2.6.39
	}
	return time.Duration(ts.Nano())
}
