package cli

import (
	"fmt"

	"portico/spec/status"
)

// vipTable shows the addresses that nodes may announce, and below each that is not
// as it should be, why.
func vipTable(nodes []status.Node) table {
	t := table{head: []string{"VIP", "ADDRESS", "NODE", "ANNOUNCE", "ANNOUNCED", "FOR", "OWNER"}}
	owned := false
	for _, n := range nodes {
		for _, v := range n.VIPs {
			announced := "no"
			if v.Announced {
				announced = "yes"
			}
			owned = owned || v.Owner != ""
			t.add(v.Name, v.Address.String(), string(n.Name), v.Announce, announced, ago(v.Since), v.Owner)
			t.note(v.Reason)
		}
	}
	if !owned {
		t.dropLast()
	}
	return t
}

// peerTable shows the routers that nodes speak to.
func peerTable(nodes []status.Node) table {
	t := table{head: []string{"PEER", "AS", "NODE", "STATE", "BFD", "ROUTES", "FOR"}, right: 5, rightTo: 6}
	for _, n := range nodes {
		for _, p := range n.Peers {
			bfd := p.BFD
			if bfd == "" {
				bfd = "-"
			}
			t.add(p.Address, fmt.Sprint(p.AS), string(n.Name), p.State, bfd, fmt.Sprint(p.Routes), ago(p.Since))
			t.note(p.Reason)
		}
	}
	return t
}
