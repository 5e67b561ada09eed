package check

import (
	"fmt"
	"time"

	"portico/spec"
)

// drain warns when nodes have to go before the clients that DNS sent to them
// could have heard of it.
func (c *checker) drain() {
	var longest time.Duration
	for _, site := range c.Sites {
		longest = max(longest, c.AnswersExpire(site.Name))
	}
	// A node leaves within three quarters of the bound; see spec.Leave.
	if need := longest / 3 * 4; need > c.Drain.D() && c.Drain > 0 {
		need = need.Round(time.Second) + time.Second
		c.warning("drain",
			fmt.Sprintf("a node that stops is gone after %v, while clients may use answers that name its VIPs for %v", c.Drain, spec.Duration(longest)),
			fmt.Sprintf("use at least %v, or shorter ttls of records and intervals of vips[].health", spec.Duration(need)))
	}
}
