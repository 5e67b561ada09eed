/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MODE_NAT: both addresses and both ports are rewritten, so that a target needs
 * nothing and answers to this node. Such a flow lives and dies with its node.
 *
 * A flow is two entries: nats by the client's tuple, backs by the target's. Each
 * packet looks at both, so that neither ages alone: were a back forgotten and its
 * port given to another flow, a packet could reach a stranger.
 */
#pragma once

#include "flow.h"
#include "icmp.h"
#include "quic.h"
#include "send.h"

#define NAT_TRIES 16 /* ports that a new flow tries: at 3/4 full, 1 in 100 finds none */
#define NAT_STEP 0x9e37 /* coprime to most counts of ports, so that tries differ */

#define NOT_OURS (-1)

/* What is written over a packet's addresses and ports. */
struct rewrite {
	__be32 src[4], dst[4];
	__be16 sport, dport;
};

/* What the rare way of ICMP errors would have on a stack of 512 bytes. */
struct scratch {
	struct packet quoted;
	struct rewrite inner; /* of the quoted packet, which is as it came */
	struct rewrite outer;
	struct rewrite turned;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

INLINE void *nats(const int family)
{
	return family == FAMILY4 ? (void *)&nats4 : (void *)&nats6;
}

INLINE void *backs(const int family)
{
	return family == FAMILY4 ? (void *)&backs4 : (void *)&backs6;
}

INLINE bool same(const int family, const __be32 *a, const __be32 *b)
{
	if (family == FAMILY4)
		return a[0] == b[0];
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

/* is_nat reports whether a packet is for one of this node's addresses of NAT. */
INLINE bool is_nat(const struct config *cfg, const struct packet *p, const int family)
{
#pragma unroll
	for (int i = 0; i < NAT_ADDRESSES; i++) {
		if (family == FAMILY4 ? i < cfg->nat4s && cfg->nat4[i] == p->t4.dst :
					i < cfg->nat6s && same(FAMILY6, cfg->nat6[i], p->t6.dst))
			return true;
	}
	return false;
}

/* sum_ports is a checksum of TCP or UDP after addresses and ports changed. */
INLINE __u16 sum_ports(__u16 sum, const struct packet *p, const int family, const struct rewrite *to)
{
	if (family == FAMILY4) {
		sum = sum_replace4(sum, p->t4.src, to->src[0]);
		sum = sum_replace4(sum, p->t4.dst, to->dst[0]);
		return sum_replace4(sum, p->t4.sport | (__u32)p->t4.dport << 16, to->sport | (__u32)to->dport << 16);
	}
	sum = sum_replace16(sum, p->t6.src, to->src);
	sum = sum_replace16(sum, p->t6.dst, to->dst);
	return sum_replace4(sum, p->t6.sport | (__u32)p->t6.dport << 16, to->sport | (__u32)to->dport << 16);
}

/* age takes one from the TTL; false means that it was the last. */
INLINE bool age(struct iphdr *ip)
{
	if (ip->ttl <= 1)
		return false;
	ip->check = sum_replace2(ip->check, bpf_htons(ip->ttl << 8), bpf_htons((ip->ttl - 1) << 8));
	ip->ttl--;
	return true;
}

INLINE enum event rewrite_ip(struct xdp_md *ctx, const struct packet *p, const int family, const struct rewrite *to)
{
	struct ipv6hdr *ip6 = at(ctx, p->l3, L2_MASK);
	struct iphdr *ip4 = (void *)ip6;

	if (family == FAMILY4) {
		if ((void *)(ip4 + 1) > end(ctx))
			return DROP_MALFORMED;
		if (!age(ip4))
			return DROP_TTL;
		ip4->check = sum_replace4(ip4->check, ip4->saddr, to->src[0]);
		ip4->check = sum_replace4(ip4->check, ip4->daddr, to->dst[0]);
		ip4->saddr = to->src[0];
		ip4->daddr = to->dst[0];
		return EVENT_NONE;
	}
	if ((void *)(ip6 + 1) > end(ctx))
		return DROP_MALFORMED;
	if (ip6->hop_limit <= 1)
		return DROP_TTL;
	ip6->hop_limit--;
	__builtin_memcpy(&ip6->saddr, to->src, 16);
	__builtin_memcpy(&ip6->daddr, to->dst, 16);
	return EVENT_NONE;
}

/* rewrite changes addresses, ports and checksums, and says why it could not. */
INLINE enum event rewrite(struct xdp_md *ctx, const struct packet *p, const int family, const struct rewrite *to)
{
	enum event why = rewrite_ip(ctx, p, family, to);
	struct tcphdr *tcp = at(ctx, p->l4, L4_MASK);
	struct udphdr *udp = (void *)tcp;

	if (why != EVENT_NONE)
		return why;
	if (p->proto == PROTO_TCP) {
		if ((void *)(tcp + 1) > end(ctx))
			return DROP_MALFORMED;
		tcp->check = sum_ports(tcp->check, p, family, to);
		tcp->source = to->sport;
		tcp->dest = to->dport;
		return EVENT_NONE;
	}
	if ((void *)(udp + 1) > end(ctx))
		return DROP_MALFORMED;
	if (udp->check) { /* 0 means that there is none (RFC 768) */
		udp->check = sum_ports(udp->check, p, family, to);
		if (!udp->check)
			udp->check = 0xffff;
	}
	udp->source = to->sport;
	udp->dest = to->dport;
	return EVENT_NONE;
}

/* back_key is the tuple of the packets that answer a flow. */
INLINE void back_key(const struct nat *n, __u8 proto, const int family, struct packet *key)
{
	if (family == FAMILY4) {
		key->t4 = (struct tuple4){.src = n->target[0], .dst = n->source[0], .sport = n->tport, .dport = n->sport, .proto = proto};
		return;
	}
	__builtin_memset(&key->t6, 0, sizeof(key->t6));
	__builtin_memcpy(key->t6.src, n->target, 16);
	__builtin_memcpy(key->t6.dst, n->source, 16);
	key->t6.sport = n->tport;
	key->t6.dport = n->sport;
	key->t6.proto = proto;
}

INLINE void client_of(const struct packet *p, const int family, struct back *b)
{
	if (family == FAMILY4) {
		b->client[0] = p->t4.src;
		b->vip[0] = p->t4.dst;
		b->cport = p->t4.sport;
		b->vport = p->t4.dport;
		return;
	}
	__builtin_memcpy(b->client, p->t6.src, 16);
	__builtin_memcpy(b->vip, p->t6.dst, 16);
	b->cport = p->t6.sport;
	b->vport = p->t6.dport;
}

/* allocate finds a free port, so that a target's answers name the flow. */
INLINE bool allocate(const struct config *cfg, const struct packet *p, const int family, const struct back *b, __u32 hash, struct nat *n)
{
	__u32 addresses = family == FAMILY4 ? cfg->nat4s : cfg->nat6s, at = hash >> 16;
	struct packet key = {};

	if (!addresses || !cfg->nat_ports)
		return false;
	at = (at % addresses) & (NAT_ADDRESSES - 1);
	if (family == FAMILY4)
		n->source[0] = cfg->nat4[at];
	else
		__builtin_memcpy(n->source, cfg->nat6[at], 16);
	for (int i = 0; i < NAT_TRIES; i++) {
		n->sport = bpf_htons(cfg->nat_port + (hash + i * NAT_STEP) % cfg->nat_ports);
		back_key(n, p->proto, family, &key);
		if (!bpf_map_update_elem(backs(family), &key.t4, b, BPF_NOEXIST))
			return true;
	}
	return false;
}

/* begin makes a flow, to the target that is named if any, and says why it could not. */
INLINE enum event begin(const struct config *cfg, const struct packet *p, const int family, const struct vip *vip, __u32 named, struct nat *n)
{
	struct choice c = {.hash = flow_hash(p, family, vip->flags)};
	struct back b = {.listener = vip->listener};

	c.id = named;
	c.target = slot_owner(named);
	if (!c.target) {
		c.id = 0;
		place(vip->listener, begins(p), &c);
	}
	if (!c.target)
		return c.why;
	if (c.target->family != family)
		return DROP_MODE;
	if (!may_learn(cfg))
		return DROP_NAT_LIMITED;
	*n = (struct nat){.tport = c.target->port, .id = c.id, .epoch = c.target->epoch};
	if (family == FAMILY4)
		n->target[0] = c.target->addr[0];
	else
		__builtin_memcpy(n->target, c.target->addr, 16);
	b.id = n->id;
	client_of(p, family, &b);
	if (vip->flags & VIP_BY_SOURCE) /* ports are not in the hash, but must be in the port */
		c.hash ^= family == FAMILY4 ? p->t4.sport * 0x9e3779b9 : p->t6.sport * 0x9e3779b9;
	if (!allocate(cfg, p, family, &b, c.hash, n))
		return DROP_NAT_FULL;
	bpf_map_update_elem(nats(family), &p->t4, n, BPF_ANY);
	count_flow(vip->listener, n->id);
	return EVENT_NONE;
}

/* holds reports whether the way back of a flow is still its own. */
INLINE bool holds(const struct packet *p, const int family, const struct nat *n)
{
	struct packet key = {};
	struct back want = {}, *b;

	back_key(n, p->proto, family, &key);
	b = bpf_map_lookup_elem(backs(family), &key.t4);
	if (!b)
		return false;
	client_of(p, family, &want);
	return b->cport == want.cport && b->vport == want.vport && same(family, b->client, want.client) && same(family, b->vip, want.vip);
}

/* moved reports whether a flow that begins anew would have another target. */
INLINE bool moved(const struct packet *p, const int family, const struct vip *vip, __u32 id)
{
	__u32 slot;

	return find_slot(vip->listener, flow_hash(p, family, vip->flags), &slot) && SLOT_TARGET(slot) != id;
}

/* to_target carries a client's packet to the target. */
static __noinline int to_target(struct xdp_md *ctx, struct packet *p, struct vip *vip, const int family)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	struct nat *known, n;
	struct rewrite to = {};
	enum event why;
	__u32 named;

	if (!cfg || !vip)
		return XDP_DROP;
	if (p->flags & (PACKET_FIRST | PACKET_LATER))
		return drop(vip->listener, DROP_FRAGMENT);
	named = vip->flags & VIP_QUIC ? quic_target(ctx, p, vip) : 0;
	known = bpf_map_lookup_elem(nats(family), &p->t4);
	if (known) {
		n = *known;
		if (!target_of(n.id, n.epoch) || !holds(p, family, &n) || (begins(p) && moved(p, family, vip, n.id)) || (named && named != n.id))
			known = NULL;
	}
	if (!known) {
		count(vip->listener, EVENT_MISSED);
		why = begin(cfg, p, family, vip, named, &n);
		if (why != EVENT_NONE)
			return drop(vip->listener, why);
	}
	__builtin_memcpy(to.src, n.source, 16);
	__builtin_memcpy(to.dst, n.target, 16);
	to.sport = n.sport;
	to.dport = n.tport;
	why = rewrite(ctx, p, family, &to);
	if (why != EVENT_NONE)
		return drop(vip->listener, why);
	count_traffic(vip->listener, n.id, p->bytes);
	return leave(ctx, cfg, p->l3, vip->listener);
}

/* to_client carries a target's packet back; NOT_OURS when no flow is known by it. */
static __noinline int to_client(struct xdp_md *ctx, struct packet *p, const int family)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	struct back *b = bpf_map_lookup_elem(backs(family), &p->t4);
	struct packet key = {};
	struct rewrite to = {};
	enum event why;

	if (!cfg || !b)
		return NOT_OURS;
	if (p->flags & (PACKET_FIRST | PACKET_LATER))
		return drop(b->listener, DROP_FRAGMENT);
	if (p->flags & PACKET_BAD)
		return drop(b->listener, DROP_MALFORMED);
	__builtin_memcpy(to.src, b->vip, 16);
	__builtin_memcpy(to.dst, b->client, 16);
	to.sport = b->vport;
	to.dport = b->cport;
	if (family == FAMILY4) {
		key.t4 = (struct tuple4){.src = to.dst[0], .dst = to.src[0], .sport = to.dport, .dport = to.sport, .proto = p->proto};
	} else {
		__builtin_memcpy(key.t6.src, to.dst, 16);
		__builtin_memcpy(key.t6.dst, to.src, 16);
		key.t6.sport = to.dport;
		key.t6.dport = to.sport;
		key.t6.proto = p->proto;
	}
	bpf_map_lookup_elem(nats(family), &key.t4); /* it is in use: the LRU list is told */
	why = rewrite(ctx, p, family, &to);
	if (why != EVENT_NONE)
		return drop(b->listener, why);
	count(b->listener, EVENT_BACK);
	return leave(ctx, cfg, p->l3, b->listener);
}

/*
 * rewrite_quoted makes of the packet that an ICMP error quotes the one that its
 * sender once sent. Of what was read of it the tuple was turned round: sport and
 * src of inner replace its dport and dst.
 */
INLINE enum event rewrite_quoted(struct xdp_md *ctx, const struct packet *p, struct scratch *s, const int family)
{
	const struct packet *q = &s->quoted;
	const struct rewrite *to = &s->inner;
	struct icmp *icmp = at(ctx, p->l4, L4_MASK);
	struct ipv6hdr *ip6 = at(ctx, q->l3, L4_MASK);
	struct iphdr *ip4 = (void *)ip6;
	struct udphdr *udp = at(ctx, q->l4, L4_MASK);
	__u16 sum, before;

	if ((void *)(icmp + 1) > end(ctx) || (void *)(udp + 1) > end(ctx))
		return DROP_MALFORMED;
	sum = icmp->checksum;
	sum = sum_replace4(sum, udp->source | (__u32)udp->dest << 16, to->sport | (__u32)to->dport << 16);
	if (q->proto == PROTO_UDP && udp->check) {
		before = udp->check;
		__builtin_memcpy(s->turned.src, to->dst, 16);
		__builtin_memcpy(s->turned.dst, to->src, 16);
		s->turned.sport = to->dport;
		s->turned.dport = to->sport;
		udp->check = sum_ports(before, q, family, &s->turned);
		sum = sum_replace2(sum, before, udp->check);
	}
	udp->source = to->sport;
	udp->dest = to->dport;
	if (family == FAMILY4) {
		if ((void *)(ip4 + 1) > end(ctx))
			return DROP_MALFORMED;
		before = ip4->check;
		ip4->check = sum_replace4(sum_replace4(before, ip4->saddr, to->src[0]), ip4->daddr, to->dst[0]);
		sum = sum_replace2(sum, before, ip4->check);
		sum = sum_replace4(sum_replace4(sum, ip4->saddr, to->src[0]), ip4->daddr, to->dst[0]);
		ip4->saddr = to->src[0];
		ip4->daddr = to->dst[0];
	} else {
		if ((void *)(ip6 + 1) > end(ctx))
			return DROP_MALFORMED;
		sum = sum_replace16(sum_replace16(sum, q->t6.dst, to->src), q->t6.src, to->dst);
		__builtin_memcpy(&ip6->saddr, to->src, 16);
		__builtin_memcpy(&ip6->daddr, to->dst, 16);
		/* The outer addresses are in the checksum. */
		sum = sum_replace16(sum_replace16(sum, p->t6.src, s->outer.src), p->t6.dst, s->outer.dst);
	}
	icmp->checksum = sum;
	return EVENT_NONE;
}

INLINE int rewrite_error(struct xdp_md *ctx, const struct packet *p, struct scratch *s, const int family, __u32 listener)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	enum event why;

	if (!cfg)
		return XDP_DROP;
	why = rewrite_ip(ctx, p, family, &s->outer);
	if (why == EVENT_NONE)
		why = rewrite_quoted(ctx, p, s, family);
	if (why != EVENT_NONE)
		return drop(listener, why);
	count(listener, EVENT_ERROR);
	return leave(ctx, cfg, p->l3, listener);
}

INLINE void addresses(const struct packet *p, const int family, struct rewrite *to)
{
	if (family == FAMILY4) {
		to->src[0] = p->t4.src;
		to->dst[0] = p->t4.dst;
		return;
	}
	__builtin_memcpy(to->src, p->t6.src, 16);
	__builtin_memcpy(to->dst, p->t6.dst, 16);
}

/* nat_error tells a target about a packet that it sent, as a router saw it. */
INLINE int nat_error(struct xdp_md *ctx, const struct packet *p, struct scratch *s, const int family, const struct vip *vip)
{
	struct nat *n = bpf_map_lookup_elem(nats(family), &s->quoted.t4);

	if (!n)
		return drop(vip->listener, DROP_ERROR);
	addresses(p, family, &s->outer);
	__builtin_memcpy(s->outer.dst, n->target, 16);
	__builtin_memcpy(s->inner.src, n->target, 16);
	__builtin_memcpy(s->inner.dst, n->source, 16);
	s->inner.sport = n->tport;
	s->inner.dport = n->sport;
	return rewrite_error(ctx, p, s, family, vip->listener);
}

/* back_error tells a client about a packet that it sent, as the target or a router saw it. */
INLINE int back_error(struct xdp_md *ctx, const struct packet *p, struct scratch *s, const int family)
{
	struct back *b = bpf_map_lookup_elem(backs(family), &s->quoted.t4);

	if (!b)
		return NOT_OURS;
	addresses(p, family, &s->outer);
	/* The target speaks as the VIP: its own address is no client's to know. */
	if (family == FAMILY4 ? p->t4.src == s->quoted.t4.src : same(family, p->t6.src, s->quoted.t6.src))
		__builtin_memcpy(s->outer.src, b->vip, 16);
	__builtin_memcpy(s->outer.dst, b->client, 16);
	__builtin_memcpy(s->inner.src, b->client, 16);
	__builtin_memcpy(s->inner.dst, b->vip, 16);
	s->inner.sport = b->cport;
	s->inner.dport = b->vport;
	return rewrite_error(ctx, p, s, family, b->listener);
}
