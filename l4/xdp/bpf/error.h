/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP errors about packets of a VIP, which routers send to the VIP: they are the
 * target's to hear. The packet that they quote went from the VIP to the client, so
 * its tuple turned round is that of the flow.
 */
#pragma once

#include "encap.h"
#include "nat.h"

INLINE bool is_error(const int family, __u8 type)
{
	if (family == FAMILY4)
		return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
	return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER;
}

/* quoted reads the packet within an error. Extension headers in it are not followed. */
INLINE bool quoted(struct xdp_md *ctx, const struct packet *p, const int family, struct packet *q)
{
	struct udphdr *ports;

	q->family = family;
	q->bytes = p->bytes;
	q->l3 = p->l4 + sizeof(struct icmp);
	if (family == FAMILY4) {
		struct iphdr *ip = at(ctx, q->l3, L4_MASK);

		if ((void *)(ip + 1) > end(ctx) || ip->ihl < 5 || ip->frag_off & bpf_htons(IP4_OFFSET))
			return false;
		q->proto = ip->protocol;
		q->l4 = q->l3 + ip->ihl * 4;
		q->t4.src = ip->daddr;
		q->t4.dst = ip->saddr;
		q->t4.proto = q->proto;
	} else {
		struct ipv6hdr *ip = at(ctx, q->l3, L4_MASK);

		if ((void *)(ip + 1) > end(ctx))
			return false;
		q->proto = ip->nexthdr;
		q->l4 = q->l3 + sizeof(*ip);
		__builtin_memcpy(q->t6.src, &ip->daddr, 16);
		__builtin_memcpy(q->t6.dst, &ip->saddr, 16);
		q->t6.proto = q->proto;
	}
	ports = at(ctx, q->l4, L4_MASK);
	if ((void *)(ports + 1) > end(ctx) || (q->proto != PROTO_TCP && q->proto != PROTO_UDP))
		return false;
	if (family == FAMILY4) {
		q->t4.sport = ports->dest;
		q->t4.dport = ports->source;
	} else {
		q->t6.sport = ports->dest;
		q->t6.dport = ports->source;
	}
	return true;
}

/* A quoted packet begins nothing: its flow is looked up, never learned. */
INLINE void choose_known(const struct packet *q, const int family, const struct vip *vip, struct choice *c)
{
	struct flow *known = vip->flags & VIP_FORGETS ? NULL : bpf_map_lookup_elem(flows(family), &q->t4);

	c->hash = flow_hash(q, family, vip->flags);
	if (known)
		recall(known, c);
	if (!c->target)
		place(vip->listener, false, c);
}

/* deliver sends an error to whom the packet that it quotes came from; NOT_OURS when that is nobody. */
static __noinline int deliver(struct xdp_md *ctx, struct packet *p, const int family, bool to_vip)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	struct choice c = {};
	struct packet *q;
	struct vip *vip;

	if (!cfg || !s)
		return XDP_DROP;
	__builtin_memset(s, 0, sizeof(*s));
	q = &s->quoted;
	if (!quoted(ctx, p, family, q))
		return to_vip ? drop(0, DROP_ERROR) : NOT_OURS;
	if (!to_vip)
		return back_error(ctx, p, s, family);
	vip = find_vip(q, family, family == FAMILY4 ? q->t4.dport : q->t6.dport, q->proto);
	if (!vip)
		return drop(0, DROP_ERROR);
	if (vip->mode == MODE_NAT)
		return nat_error(ctx, p, s, family, vip);
	choose_known(q, family, vip, &c);
	if (!c.target)
		return drop(vip->listener, c.why);
	count(vip->listener, EVENT_ERROR);
	return forward(ctx, cfg, p, vip, &c);
}

/* control handles ICMP to a VIP's address, and to the addresses of NAT. */
INLINE int control(struct xdp_md *ctx, const struct config *cfg, struct packet *p, const int family)
{
	struct icmp *icmp = at(ctx, p->l4, L4_MASK);
	bool to_vip = find_vip(p, family, 0, p->proto);

	if ((void *)(icmp + 1) > end(ctx) || p->flags & (PACKET_FIRST | PACKET_LATER | PACKET_BAD))
		return NOT_OURS;
	if (is_error(family, icmp->type) && (to_vip || is_nat(cfg, p, family)))
		return deliver(ctx, p, family, to_vip);
	if (to_vip && icmp->type == (family == FAMILY4 ? ICMP_ECHO : ICMP6_ECHO))
		return family == FAMILY4 ? answer4(ctx, cfg, p) : answer6(ctx, cfg, p);
	return NOT_OURS; /* such as questions for neighbors */
}
