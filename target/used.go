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

// Used lists the targets that take what is new, as Pick chooses among them.
func (g *Group) Used() []Use {
	t := g.table.Load()
	list := make([]Use, len(t.used))
	for i, m := range t.used {
		list[i] = Use{Target: m, Weight: m.spec.Load().Weight, Ramped: t.weights[i]}
	}
	return list
}

// Unasked lists those that may take what is new and whose check had not answered when
// Used was chosen. To see no target in neither, ask for these first.
func (g *Group) Unasked() []*Target { return g.table.Load().unasked }
