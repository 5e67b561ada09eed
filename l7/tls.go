package l7

import "crypto/tls"

// configs are those that the listeners of a spec are greeted with.
func (c *compiler) configs() []*tls.Config {
	var all []*tls.Config
	for _, h := range c.made {
		if h.tls != nil {
			all = append(all, h.tls)
		}
	}
	return all
}
