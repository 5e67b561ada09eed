package target

// Use is a target that takes what is new.
type Use struct {
	*Target
	// Weight is what the spec says.
	Weight int
	// Ramped is its weight beside those of the others in the list while some of them
	// warm up; else the same.
	Ramped int
}

// Used lists the targets that take what is new, as Pick chooses among them. Unasked
// are those that may as well and whose check had not answered then; of these some may
// be used too.
func (g *Group) Used() (used []Use, unasked []*Target) {
	t := g.table.Load()
	used = make([]Use, len(t.used))
	for i, m := range t.used {
		used[i] = Use{Target: m, Weight: m.spec.Load().Weight, Ramped: t.weights[i]}
	}
	return used, t.unasked
}
