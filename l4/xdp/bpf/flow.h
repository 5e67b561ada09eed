/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which target a flow is on: that of the flow table, or of the listener's table.
 *
 * The family is always a constant where these are called, so that each is
 * compiled twice and tests of it cost nothing.
 */
#pragma once

#include "count.h"
#include "parse.h"

/* A core may learn as many flows at once as it may in this time. */
#define LEARN_BURST 100000000 /* ns */

struct choice {
	struct target *target; /* NULL: there is none, and why says so */
	struct target *second; /* who to ask second, or NULL */
	__u32 id; /* of target */
	__u32 hash;
	struct flow remember; /* for the flow table; slot 0 means that it stays as it is */
	enum event why;
};

INLINE void *flows(const int family)
{
	return family == FAMILY4 ? (void *)&flows4 : (void *)&flows6;
}

INLINE struct vip *find_vip(const struct packet *p, const int family, __be16 port, __u8 proto)
{
	struct vip_key key = {.port = port, .proto = proto, .family = family};

	if (family == FAMILY4)
		key.addr[0] = p->t4.dst;
	else
		__builtin_memcpy(key.addr, p->t6.dst, 16);
	return bpf_map_lookup_elem(&vips, &key);
}

INLINE __u32 flow_hash(const struct packet *p, const int family, __u8 vip_flags)
{
	if (family == FAMILY4)
		return vip_flags & VIP_BY_SOURCE ? hash4(p->t4.src, p->t4.dst, 0, 0, p->proto) :
						   hash4(p->t4.src, p->t4.dst, p->t4.sport, p->t4.dport, p->proto);
	return vip_flags & VIP_BY_SOURCE ? hash6(p->t6.src, p->t6.dst, 0, 0, p->proto) :
					   hash6(p->t6.src, p->t6.dst, p->t6.sport, p->t6.dport, p->proto);
}

/* target_of is the target of an id that has it still, or NULL. */
INLINE struct target *target_of(__u32 id, __u16 epoch)
{
	struct target *t = bpf_map_lookup_elem(&targets, &id);

	if (!t || !t->family || t->epoch != epoch)
		return NULL;
	return t;
}

/* slot_owner is the target of an id in a table, which holds no stale ones. */
INLINE struct target *slot_owner(__u32 id)
{
	struct target *t = id ? bpf_map_lookup_elem(&targets, &id) : NULL;

	return t && t->family ? t : NULL;
}

/* find_slot is the slot of a listener's table that a hash falls to. */
INLINE bool find_slot(__u32 listener, __u32 hash, __u32 *slot)
{
	void *inner = bpf_map_lookup_elem(&tables, &listener);
	struct table *table;
	__u32 zero = 0;

	if (!inner)
		return false;
	table = bpf_map_lookup_elem(inner, &zero);
	if (!table)
		return false;
	*slot = table->slots[slot_of(hash)];
	return true;
}

/* may_learn takes one of the flows that this core may learn a second. */
INLINE bool may_learn(const struct config *cfg)
{
	__u32 zero = 0;
	__u64 *next = bpf_map_lookup_elem(&learning, &zero), now;

	if (!cfg->learn_cost || !next)
		return true;
	now = bpf_ktime_get_coarse_ns();
	if (*next > now)
		return false;
	if (*next + LEARN_BURST < now)
		*next = now - LEARN_BURST;
	*next += cfg->learn_cost;
	return true;
}

INLINE struct flow flow_of(__u32 id, const struct target *t, __u32 second_id, const struct target *second)
{
	return (struct flow){
		.slot = id | (second ? second_id << 16 : 0),
		.epoch = t->epoch,
		.second_epoch = second ? second->epoch : 0,
	};
}

/* recall reads where a known flow is. Where its target is gone, the second is first. */
INLINE void recall(const struct flow *known, struct choice *c)
{
	c->id = SLOT_TARGET(known->slot);
	c->target = target_of(c->id, known->epoch);
	c->second = SLOT_SECOND(known->slot) ? target_of(SLOT_SECOND(known->slot), known->second_epoch) : NULL;
	if (c->target)
		return;
	c->id = SLOT_SECOND(known->slot);
	c->target = c->second;
	c->second = NULL;
}

/*
 * place decides by the listener's table where a packet goes; c holds what is known
 * of its flow. The steps are those of l4.Place in Go, and both pass the cases of
 * l4/flowtest: a packet that begins a flow goes to the slot's owner, and an older
 * flow of the same ports comes second from then on.
 */
INLINE void place(__u32 listener, bool starts, struct choice *c)
{
	struct target *known = c->target, *owner, *past;
	__u32 slot, known_id = c->id, past_id;

	c->target = c->second = NULL;
	c->why = DROP_NO_TABLE;
	if (!find_slot(listener, c->hash, &slot))
		return;
	c->why = DROP_NO_TARGET;
	c->id = SLOT_TARGET(slot);
	past_id = SLOT_SECOND(slot);
	owner = slot_owner(c->id);
	past = slot_owner(past_id);
	if (!owner) {
		if (!past || starts)
			return;
		c->id = past_id;
		c->target = past;
		c->remember = flow_of(past_id, past, 0, NULL);
		return;
	}
	c->target = owner;
	if (!starts) {
		c->second = past;
		c->remember = flow_of(c->id, owner, past_id, past);
	} else if (known && known_id != c->id) {
		c->remember = flow_of(c->id, owner, known_id, known);
	}
}

/*
 * choose finds the target of a flow. A flow is learned at its second packet, so
 * that a flood of SYNs leaves no trace, and no faster than a core may learn.
 */
INLINE void choose(const struct config *cfg, const struct packet *p, const int family, const struct vip *vip, struct choice *c)
{
	struct flow *known = NULL;

	*c = (struct choice){.hash = flow_hash(p, family, vip->flags)};
	if (!(vip->flags & VIP_FORGETS))
		known = bpf_map_lookup_elem(flows(family), &p->t4);
	if (known) {
		recall(known, c);
		if (c->target && !begins(p))
			return;
		if (!c->target)
			count(vip->listener, EVENT_MOVED);
	} else {
		count(vip->listener, EVENT_MISSED);
	}
	place(vip->listener, begins(p), c);
	if (!c->target || !c->remember.slot || vip->flags & VIP_FORGETS)
		return;
	if (known)
		*known = c->remember;
	else if (may_learn(cfg) && !bpf_map_update_elem(flows(family), &p->t4, &c->remember, BPF_NOEXIST))
		count_flow(vip->listener, c->id);
	else
		count(vip->listener, EVENT_UNLEARNED);
}
