/* SPDX-License-Identifier: GPL-2.0 */
/* What a VIP itself says in ICMP (RFC 792) and ICMPv6 (RFC 4443). */
#pragma once

#include "send.h"

/* Both begin alike. The kernel's headers of them do not compile without a libc. */
struct icmp {
	__u8 type, code;
	__u16 checksum;
	__be32 rest; /* of an error that a packet was too big: the MTU */
};

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4 /* a code of ICMP_UNREACHABLE */
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER 12

#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_PARAMETER 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

#define ICMP_TTL 64

/* What is quoted of a packet: its header without options and the ports behind. */
#define QUOTE4 (sizeof(struct iphdr) + 8)
#define QUOTE6 (sizeof(struct ipv6hdr) + 8)

INLINE __u16 sum_words(__u32 sum, const void *from, const int bytes)
{
	const __u16 *word = from;

#pragma unroll
	for (int i = 0; i < bytes / 2; i++)
		sum += word[i];
	return ~fold(sum);
}

/* answer4 turns an echo request into its reply. */
INLINE int answer4(struct xdp_md *ctx, const struct config *cfg, const struct packet *p)
{
	struct iphdr *ip = at(ctx, p->l3, L2_MASK);
	struct icmp *icmp = at(ctx, p->l4, L4_MASK);

	if ((void *)(icmp + 1) > end(ctx) || (void *)(ip + 1) > end(ctx))
		return drop(0, DROP_MALFORMED);
	ip->daddr = p->t4.src;
	ip->saddr = p->t4.dst;
	ip->check = sum_replace2(ip->check, bpf_htons(ip->ttl << 8), bpf_htons(ICMP_TTL << 8));
	ip->ttl = ICMP_TTL;
	icmp->type = ICMP_ECHO_REPLY;
	icmp->checksum = sum_replace2(icmp->checksum, bpf_htons(ICMP_ECHO << 8), 0);
	count(0, EVENT_ECHO);
	return leave(ctx, cfg, p->l3, 0);
}

INLINE int answer6(struct xdp_md *ctx, const struct config *cfg, const struct packet *p)
{
	struct ipv6hdr *ip = at(ctx, p->l3, L2_MASK);
	struct icmp *icmp = at(ctx, p->l4, L4_MASK);

	if ((void *)(icmp + 1) > end(ctx) || (void *)(ip + 1) > end(ctx))
		return drop(0, DROP_MALFORMED);
	__builtin_memcpy(&ip->daddr, p->t6.src, 16);
	__builtin_memcpy(&ip->saddr, p->t6.dst, 16);
	ip->hop_limit = ICMP_TTL;
	icmp->type = ICMP6_ECHO_REPLY;
	icmp->checksum = sum_replace2(icmp->checksum, bpf_htons(ICMP6_ECHO << 8), bpf_htons(ICMP6_ECHO_REPLY << 8));
	count(0, EVENT_ECHO);
	return leave(ctx, cfg, p->l3, 0);
}

/* too_big4 says "fragmentation needed" (RFC 1191, section 4) in the VIP's name. */
INLINE int too_big4(struct xdp_md *ctx, const struct packet *p, __u32 mtu)
{
	struct iphdr *ip, *quoted;
	struct icmp *icmp;

	if (!grow(ctx, p, sizeof(*ip) + sizeof(*icmp)))
		return XDP_DROP;
	ip = at(ctx, p->l3, L2_MASK);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	if ((void *)quoted + QUOTE4 > end(ctx))
		return XDP_DROP;
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = 0;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + QUOTE4);
	ip->id = 0;
	ip->frag_off = bpf_htons(IP4_DF);
	ip->ttl = ICMP_TTL;
	ip->protocol = PROTO_ICMP;
	ip->check = 0;
	ip->saddr = quoted->daddr;
	ip->daddr = quoted->saddr;
	ip->check = sum_ip4(ip);
	icmp->type = ICMP_UNREACHABLE;
	icmp->code = ICMP_FRAGMENTATION_NEEDED;
	icmp->checksum = 0;
	icmp->rest = bpf_htonl(mtu);
	icmp->checksum = sum_words(0, icmp, sizeof(*icmp) + QUOTE4);
	return XDP_TX;
}

/* too_big6 says "packet too big" (RFC 4443, section 3.2). */
INLINE int too_big6(struct xdp_md *ctx, const struct packet *p, __u32 mtu)
{
	struct ipv6hdr *ip, *quoted;
	struct icmp *icmp;
	__u32 sum;

	if (!grow(ctx, p, sizeof(*ip) + sizeof(*icmp)))
		return XDP_DROP;
	ip = at(ctx, p->l3, L2_MASK);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	if ((void *)quoted + QUOTE6 > end(ctx))
		return XDP_DROP;
	*(__be32 *)ip = bpf_htonl(6 << 28);
	ip->payload_len = bpf_htons(sizeof(*icmp) + QUOTE6);
	ip->nexthdr = PROTO_ICMPV6;
	ip->hop_limit = ICMP_TTL;
	__builtin_memcpy(&ip->saddr, p->t6.dst, 16);
	__builtin_memcpy(&ip->daddr, p->t6.src, 16);
	icmp->type = ICMP6_TOO_BIG;
	icmp->code = 0;
	icmp->checksum = 0;
	icmp->rest = bpf_htonl(mtu);
	sum = bpf_htons(sizeof(*icmp) + QUOTE6) + bpf_htons(PROTO_ICMPV6);
	sum += (__u16)~sum_words(0, &ip->saddr, 32);
	icmp->checksum = sum_words(sum, icmp, sizeof(*icmp) + QUOTE6);
	return XDP_TX;
}

/*
 * too_big tells the client of a packet that would not fit into the way to its
 * target how large it may be. One that may be fragmented on the way is dropped
 * too: its fragments would be those of the outer packet.
 */
static __noinline int too_big(struct xdp_md *ctx, const struct packet *p, __u32 mtu, __u32 listener)
{
	int length = p->l3 + (p->family == FAMILY4 ? 28 + QUOTE4 : 48 + QUOTE6), done = XDP_DROP;

	if (p->flags & PACKET_DF && !(p->flags & (PACKET_FIRST | PACKET_LATER)))
		done = p->family == FAMILY4 ? too_big4(ctx, p, mtu) : too_big6(ctx, p, mtu);
	/* The rest of the packet goes: what is quoted ends the answer. */
	if (done != XDP_TX || bpf_xdp_adjust_tail(ctx, length - (int)(end(ctx) - start(ctx))))
		return drop(listener, DROP_TOO_BIG);
	count(listener, EVENT_TOO_BIG);
	return turn_back(ctx);
}
