package steer

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"portico/l4"
	"portico/l4/maglev"
	"portico/spec"
	"portico/target"
)

// listener is one listener with a table.
type listener struct {
	name    spec.ListenerName
	shares  []l4.Share
	state   maglev.State
	waits   bool
	tooMany bool // targets for one table
	unsaved bool

	others map[spec.NodeName]heard

	moved, atRisk uint64 // slots, since start
}

// step lets a listener's membership go where it should. The caller holds s.mu.
func (s *Steer) step(l *listener, now time.Time) {
	sockets := s.o.Sockets()
	want, dead := s.wanted(l, sockets)
	if many := len(want) > maglev.MembersMax; many != l.tooMany {
		l.tooMany = many
		s.o.Log.Warn("targets of a listener and of one table", "listener", l.name, "targets", len(want), "tableMax", maglev.MembersMax, "fit", !many)
	}
	if l.tooMany {
		if s.Table(l.name) != nil {
			s.publish(l.name, nil)
		}
		return
	}
	number := l.state.Now.Number
	out := l.state.Step(maglev.Input{Now: now, Want: want, Dead: dead, Bound: s.bound, Ended: sockets})
	if out.Waits && !l.waits {
		s.o.Log.Info("change of targets waits for the flows of the one before", "listener", l.name, "generation", number, "until", l.state.Until)
	}
	l.waits = out.Waits
	changed := s.learn(l, now) || out.Changed
	if !changed && s.Table(l.name) != nil {
		return
	}
	before, t := s.Table(l.name), l.state.Table()
	l.unsaved = l.unsaved || changed
	s.publish(l.name, t)
	if l.state.Now.Number != number {
		moved := 0
		if before != nil {
			moved = t.MovedSince(before)
		}
		s.tell(l, moved, out.AtRisk, sockets)
	}
}

// tell logs and counts a new generation. Where flows are in sockets it is no event:
// the verdict or spec that led to it is. The caller holds s.mu.
func (s *Steer) tell(l *listener, moved, atRisk int, sockets bool) {
	l.moved += uint64(moved)
	l.atRisk += uint64(atRisk)
	level := slog.LevelInfo
	if sockets {
		level = slog.LevelDebug
	}
	log := s.o.Log.With("listener", l.name, "generation", l.state.Now.Number)
	log.Log(context.Background(), level, "targets of flows changed", "targets", len(l.state.Now.Members), "moved", moved, "slots", maglev.Slots)
	if atRisk > 0 {
		log.Warn("flows at risk: a change could not wait for those of the one before", "atRisk", atRisk, "slots", maglev.Slots)
	}
}

// wanted are the members that a listener's table should have, and those it has that
// must leave at once: neither drained nor of weight 0, but unhealthy or not listed.
func (s *Steer) wanted(l *listener, sockets bool) (want []maglev.Member, dead []maglev.Name) {
	in, may := map[maglev.Name]bool{}, map[maglev.Name]bool{}
	for _, share := range l.shares {
		group := s.o.Groups.Group(share.Group)
		if group != nil {
			for _, t := range group.Targets() {
				name := maglev.Name{Group: share.Group, Address: t.Address()}
				may[name] = !t.TakesNew() || share.Weight <= 0
			}
		}
		if share.Weight <= 0 {
			continue
		}
		members := l.members(group, share, sockets)
		if len(members) == 0 {
			members = []maglev.Member{{Name: maglev.Name{Group: share.Group}, Weight: 1, Share: share.Weight}}
		}
		for _, m := range members {
			in[m.Name] = true
		}
		want = append(want, members...)
	}
	for _, m := range l.state.Now.Members {
		if !in[m.Name] && !may[m.Name] {
			dead = append(dead, m.Name)
		}
	}
	return want, dead
}

// members are those of a share as they should be.
func (l *listener) members(group *target.Group, share l4.Share, sockets bool) []maglev.Member {
	if group == nil {
		return nil
	}
	used, unasked := group.Used()
	members := membersOf(used, share, sockets)
	if sockets {
		return members
	}
	return append(members, unproven(members, l.state.Now.Members, unasked, share)...)
}

// membersOf are the members for targets that take what is new. Weights that grow step
// by step are followed only where that moves no flow.
func membersOf(used []target.Use, share l4.Share, sockets bool) []maglev.Member {
	var members []maglev.Member
	for _, u := range used {
		m := maglev.Member{Name: maglev.Name{Group: share.Group, Address: u.Address()}, Weight: u.Weight, Share: share.Weight}
		if sockets {
			m.Weight = u.Ramped
		}
		members = append(members, m)
	}
	return members
}

// unproven are those that are members, take what is new, and are not used because
// nobody knows how they are: after a start, of all that were good before it. They
// stay until they are known to be unhealthy, or most flows would move twice. What is
// known is what the group has chosen by: a verdict of this moment may not have come
// to its choice yet, and who has just been found healthy would be in neither.
func unproven(used, now []maglev.Member, unasked []*target.Target, share l4.Share) []maglev.Member {
	var members []maglev.Member
	for _, m := range now {
		if m.Group != share.Group || !slices.ContainsFunc(unasked, func(t *target.Target) bool { return t.Address() == m.Address }) {
			continue
		}
		if slices.ContainsFunc(used, func(u maglev.Member) bool { return u.Name == m.Name }) {
			continue
		}
		m.Share = share.Weight
		members = append(members, m)
	}
	return members
}
