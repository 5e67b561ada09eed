package decap

import "testing"

// TestFindUplink proves where an l7 node unwraps that is an l4 node with uplinks too:
// on the first that is there, after the balancer; on an interface that it names, by
// itself where the balancer is not.
func TestFindUplink(t *testing.T) {
	p := newPair(t)
	for _, tt := range []struct {
		device, name string
		balanced     bool
	}{{"", "eth0", true}, {"eth0", "eth0", true}, {"lo", "lo", false}, {"gone", "", false}} {
		var m machine
		var on device
		var err error
		p.node.Run(func() {
			on, err = m.find(&plan{address: nodeAt, shared: true, device: tt.device, uplinks: []string{"gone", "eth0"}})
		})
		if on.name != tt.name || on.balanced != tt.balanced || (err != nil) != (tt.name == "") {
			t.Errorf("interface %q: %+v, %v; want %q, balanced %v", tt.device, on, err, tt.name, tt.balanced)
		}
		if err := m.close(); err != nil {
			t.Error(err)
		}
	}
}
