package cli

import "portico/spec/status"

// uplinkTable shows the interfaces that kernels take packets of VIPs from.
func uplinkTable(nodes []status.Node) table {
	t := table{head: []string{"UPLINK", "NODE", "PACKETS ARE"}}
	for _, n := range nodes {
		for _, u := range n.Uplinks {
			t.add(u.Interface, string(n.Name), u.String())
		}
	}
	return t
}
