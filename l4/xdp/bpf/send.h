/* SPDX-License-Identifier: GPL-2.0 */
/* How a packet leaves. */
#pragma once

#include "count.h"
#include "parse.h"

#define ADDRESS_FAMILY4 2 /* AF_INET; its header needs a libc */
#define ADDRESS_FAMILY6 10 /* AF_INET6 */

INLINE int pass(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &next, 0); /* returns only when nothing is there */
	return XDP_PASS;
}

/* turn_back sends a packet where it came from: to the router, which knows the way. */
INLINE int turn_back(struct xdp_md *ctx)
{
	struct ethhdr *eth = start(ctx);
	__u8 mac[ETH_ALEN];

	if ((void *)(eth + 1) > end(ctx))
		return XDP_DROP;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return XDP_TX;
}

INLINE const struct uplink *uplink_of(const struct config *cfg, __u32 ifindex)
{
#pragma unroll
	for (int i = 0; i < UPLINKS; i++) {
		if (cfg->uplinks[i].ifindex == ifindex)
			return &cfg->uplinks[i];
	}
	return NULL;
}

/* ports_of fills in what spreads flows to one target over ways that are equal. */
INLINE void ports_of(struct xdp_md *ctx, const struct udphdr *l4, struct bpf_fib_lookup *fib)
{
	if ((fib->l4_protocol != PROTO_TCP && fib->l4_protocol != PROTO_UDP) || (void *)(l4 + 1) > end(ctx))
		return;
	fib->sport = l4->source; /* TCP has them there too */
	fib->dport = l4->dest;
}

/* find_way asks the kernel's routes for the way to a packet's destination. */
INLINE long find_way(struct xdp_md *ctx, __u32 l3, struct bpf_fib_lookup *fib)
{
	struct iphdr *ip4 = at(ctx, l3, L2_MASK);
	struct ipv6hdr *ip6 = (void *)ip4;

	if ((void *)(ip4 + 1) > end(ctx))
		return -1;
	fib->ifindex = ctx->ingress_ifindex;
	if (ip4->version == 4) {
		fib->family = ADDRESS_FAMILY4;
		fib->l4_protocol = ip4->protocol;
		fib->tos = ip4->tos;
		fib->tot_len = bpf_ntohs(ip4->tot_len);
		fib->ipv4_src = ip4->saddr;
		fib->ipv4_dst = ip4->daddr;
		if (ip4->ihl == 5 && !(ip4->frag_off & bpf_htons(IP4_MF | IP4_OFFSET)))
			ports_of(ctx, (void *)(ip4 + 1), fib);
	} else {
		if ((void *)(ip6 + 1) > end(ctx))
			return -1;
		fib->family = ADDRESS_FAMILY6;
		fib->l4_protocol = ip6->nexthdr;
		fib->tot_len = bpf_ntohs(ip6->payload_len) + sizeof(*ip6);
		__builtin_memcpy(fib->ipv6_src, &ip6->saddr, 16);
		__builtin_memcpy(fib->ipv6_dst, &ip6->daddr, 16);
		ports_of(ctx, (void *)(ip6 + 1), fib);
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
}

/*
 * route sends a packet as the kernel's routes say, where those lead to an uplink. A
 * tag belongs to the link that it came by, and a kernel that does not forward, or
 * does not know the neighbor now, leaves the way to the router.
 */
static __noinline int route(struct xdp_md *ctx, struct config *cfg, __u32 l3, __u32 listener)
{
	struct bpf_fib_lookup fib = {};
	struct ethhdr *eth;
	long found;

	if (!cfg)
		return XDP_DROP;
	if (l3 != sizeof(*eth))
		return turn_back(ctx);
	found = find_way(ctx, l3, &fib);
	if (found == BPF_FIB_LKUP_RET_BLACKHOLE || found == BPF_FIB_LKUP_RET_UNREACHABLE || found == BPF_FIB_LKUP_RET_PROHIBIT)
		return drop(listener, DROP_ROUTE);
	if (found != BPF_FIB_LKUP_RET_SUCCESS || !uplink_of(cfg, fib.ifindex))
		return turn_back(ctx);
	eth = start(ctx);
	if ((void *)(eth + 1) > end(ctx))
		return XDP_DROP;
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	if (fib.ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return bpf_redirect(fib.ifindex, 0);
}

/* leave sends a packet back to the router that it came from, or where routes say. */
INLINE int leave(struct xdp_md *ctx, const struct config *cfg, __u32 l3, __u32 listener)
{
	if (cfg->uplinks[0].ifindex)
		return route(ctx, (struct config *)cfg, l3, listener);
	return turn_back(ctx);
}

/*
 * grow makes room for more bytes of headers behind Ethernet and its tags, which
 * move to the new start. The sizes of what is moved are constants, for the
 * verifier knows no memmove.
 */
INLINE bool grow(struct xdp_md *ctx, const struct packet *p, const int more)
{
	struct { __u8 b[14]; } *from, *to;
	struct { __u8 b[18]; } *from1, *to1;
	struct { __u8 b[22]; } *from2, *to2;

	if (bpf_xdp_adjust_head(ctx, -more))
		return false;
	to = start(ctx);
	from = (void *)to + more;
	to1 = (void *)to, from1 = (void *)from;
	to2 = (void *)to, from2 = (void *)from;
	if (p->l3 == sizeof(*to)) {
		if ((void *)(from + 1) > end(ctx))
			return false;
		__builtin_memcpy(to, from, sizeof(*to));
	} else if (p->l3 == sizeof(*to1)) {
		if ((void *)(from1 + 1) > end(ctx))
			return false;
		__builtin_memmove(to1, from1, sizeof(*to1));
	} else {
		if ((void *)(from2 + 1) > end(ctx))
			return false;
		__builtin_memmove(to2, from2, sizeof(*to2));
	}
	return true;
}
