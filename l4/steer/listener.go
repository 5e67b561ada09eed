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
	unkept  bool // the last try to save failed

	others map[spec.NodeName]heard

	moved, atRisk uint64 // slots, since start
}

// step lets a listener's membership go where it should. The caller holds s.mu.
func (s *Steer) step(l *listener, now time.Time) {
	want, dead := s.wanted(l)
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
	out := l.state.Step(maglev.Input{Now: now, Want: want, Dead: dead, Bound: s.bound, Ended: s.sockets})
	if out.Waits && !l.waits {
		s.o.Log.Info("change of targets waits for the flows of the one before", "listener", l.name, "generation", number, "until", l.state.Until)
	}
	l.waits = out.Waits
	before := s.Table(l.name)
	s.build(l, now, out.Changed)
	if l.state.Now.Number != number {
		moved := 0
		if before != nil {
			moved = s.Table(l.name).MovedSince(before)
		}
		s.tell(l, moved, out.AtRisk)
	}
}

// due reports whether a listener must be stepped though its targets did not change.
func (s *Steer) due(l *listener, now time.Time) bool {
	until := l.state.Until
	return !until.IsZero() && (!now.Before(until) || until.After(now.Add(s.bound)))
}

// build makes a listener's table anew if its state changed, or does by what others know.
// The caller holds s.mu.
func (s *Steer) build(l *listener, now time.Time, changed bool) {
	past := l.state.Before.Members
	learned := s.learn(l, now)
	was := s.Table(l.name)
	switch {
	case !changed && !learned && was != nil:
		return
	case !changed && learned && was != nil && slices.Equal(past, l.state.Before.Members):
		longer := *was // the slots are the same
		longer.Until, longer.From = l.state.Until, l.state.From
		s.store(l.name, &longer)
	default:
		s.publish(l.name, l.state.Table())
	}
	// What another node's verdicts led to is of no use to others, or after a start.
	l.unsaved = l.unsaved || changed || learned && l.state.From == ""
}

// tell logs and counts a new generation. Where flows are in sockets it is no event:
// the verdict or spec that led to it is. The caller holds s.mu.
func (s *Steer) tell(l *listener, moved, atRisk int) {
	l.moved += uint64(moved)
	l.atRisk += uint64(atRisk)
	level := slog.LevelInfo
	if s.sockets {
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
func (s *Steer) wanted(l *listener) (want []maglev.Member, dead []maglev.Name) {
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
		members := l.members(group, share, s.sockets)
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
