package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"portico/spec/status"
)

// dropped are the results of packets that went nowhere.
var dropped = [...]string{"malformed", "not-vip", "hops"}

// unwrapTable shows which l7 nodes unwrap packets of which l4 nodes, and what became
// of these.
func unwrapTable(nodes []status.Node) table {
	t := table{head: []string{"UNWRAPS", "INTERFACE", "FROM", "DELIVERED", "CHAINED", "ANSWERED", "DROPPED", "STRANGER"}, right: 3}
	for _, n := range nodes {
		u := n.Unwrap
		if u == nil {
			continue
		}
		from := make([]string, len(u.From))
		for i, a := range u.From {
			from[i] = a.String()
		}
		lost, strangers := u.Sum(dropped[:]...), u.Sum("stranger")
		chained, answered := u.Sum("chained"), u.Sum("answered")
		all := u.Sum(slices.Collect(maps.Keys(u.Results))...)
		t.add(string(n.Name), u.Interface, cmp.Or(strings.Join(from, " "), "-"),
			fmt.Sprint(all-lost-strangers-chained-answered), fmt.Sprint(chained), fmt.Sprint(answered), fmt.Sprint(lost), fmt.Sprint(strangers))
		t.note(resultsNote(u.Results))
	}
	return t
}

// resultsNote lists every result that there was.
func resultsNote(of map[string]uint64) string {
	var parts []string
	for _, r := range slices.Sorted(maps.Keys(of)) {
		if of[r] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", r, of[r]))
		}
	}
	return strings.Join(parts, ", ")
}
