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
	struct flow flow;
	struct target *target; /* NULL: there is none, and why says so */
	enum event why;
	__u32 hash;
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

/* pick takes the slot of the listener's table. */
INLINE void pick(__u32 listener, struct choice *c)
{
	__u32 zero = 0, id;
	struct target *t;
	struct table *table;
	void *inner = bpf_map_lookup_elem(&tables, &listener);

	c->target = NULL;
	c->why = DROP_NO_TABLE;
	if (!inner)
		return;
	table = bpf_map_lookup_elem(inner, &zero);
	if (!table)
		return;
	c->flow.slot = table->slots[slot_of(c->hash)];
	c->why = DROP_NO_TARGET;
	id = SLOT_TARGET(c->flow.slot);
	t = id ? bpf_map_lookup_elem(&targets, &id) : NULL;
	if (!t || !t->family)
		return;
	c->target = t;
	c->flow.epoch = t->epoch;
	id = SLOT_SECOND(c->flow.slot);
	t = id ? bpf_map_lookup_elem(&targets, &id) : NULL;
	c->flow.second_epoch = t ? t->epoch : 0;
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

/*
 * choose finds the target of a flow. A flow is learned at its second packet: a
 * flood of SYNs leaves no trace. A SYN on a known flow stays with its target, for
 * it may be a forgery, unless the target drains: then another connection of the
 * same ports begins, and the flow is changed in its place.
 */
INLINE void choose(const struct config *cfg, const struct packet *p, const int family, const struct vip *vip, struct choice *c)
{
	struct flow *known;

	c->hash = flow_hash(p, family, vip->flags);
	if (vip->flags & VIP_FORGETS) {
		pick(vip->listener, c);
		return;
	}
	known = bpf_map_lookup_elem(flows(family), &p->t4);
	if (known) {
		c->flow = *known;
		c->target = target_of(SLOT_TARGET(c->flow.slot), c->flow.epoch);
		if (c->target && !(begins(p) && c->target->flags & TARGET_DRAINS))
			return;
	}
	count(vip->listener, known ? EVENT_MOVED : EVENT_MISSED);
	pick(vip->listener, c);
	if (!c->target)
		return;
	if (known) {
		*known = c->flow;
		return;
	}
	if (p->proto == PROTO_TCP && p->tcp & (TCP_SYN | TCP_FIN | TCP_RST))
		return;
	if (p->flags & (PACKET_FIRST | PACKET_LATER))
		return;
	if (may_learn(cfg) && !bpf_map_update_elem(flows(family), &p->t4, &c->flow, BPF_NOEXIST))
		count_flow(vip->listener, SLOT_TARGET(c->flow.slot));
	else
		count(vip->listener, EVENT_UNLEARNED);
}

/* second_of is the target to ask second, if the slot names one that is not the first. */
INLINE struct target *second_of(const struct choice *c)
{
	__u32 id = SLOT_SECOND(c->flow.slot);

	if (!id || id == SLOT_TARGET(c->flow.slot))
		return NULL;
	return target_of(id, c->flow.second_epoch);
}
