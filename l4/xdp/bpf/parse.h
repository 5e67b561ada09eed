/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads a packet up to its ports. Offsets are kept instead of pointers, for
 * pointers end with the first bpf_xdp_adjust_head.
 *
 * The verifier forgets what an offset may be when it lies on the stack, so each
 * is cut by a mask before it is added to a packet's start (at()).
 */
#pragma once

#include "maps.h"

#define L2_MAX 22 /* Ethernet and two VLAN tags */
#define L2_MASK 0x1f
#define L4_MASK 0x3ff
#define EXTENSIONS_MAX 6 /* headers of IPv6 before TCP or UDP */

#define PACKET_BAD 1 /* lengths lie */
#define PACKET_FIRST 2 /* the first fragment of several */
#define PACKET_LATER 4 /* a fragment without ports */
#define PACKET_OPTIONS 8
#define PACKET_VLAN 16
#define PACKET_DF 32

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

struct packet {
	__u16 l3, l4; /* where the headers start */
	__u32 bytes; /* of the IP packet */
	__u8 family;
	__u8 proto;
	__u8 flags;
	__u8 tcp; /* flags of TCP */
	__u8 tos, ttl;
	__be16 inner_type; /* the Ethernet type */
	__be32 id; /* of fragments */
	union { /* the key of the flow table */
		struct tuple4 t4;
		struct tuple6 t6;
	};
};

struct vlan {
	__be16 tag;
	__be16 type;
};

/*
 * The loads are written out: the compiler would keep the address of a field of the
 * context for later, which the verifier refuses to load from.
 */
INLINE void *start(struct xdp_md *ctx)
{
	void *p;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(p) : "r"(ctx), "i"(offsetof(struct xdp_md, data)));
	return p;
}

INLINE void *end(struct xdp_md *ctx)
{
	void *p;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(p) : "r"(ctx), "i"(offsetof(struct xdp_md, data_end)));
	return p;
}

/*
 * at is a packet's byte at an offset that the mask, a constant, bounds. The sum is
 * hidden from the compiler: made again elsewhere, it would be another pointer to
 * the verifier, one whose bounds nobody has looked at.
 */
INLINE void *at(struct xdp_md *ctx, __u64 offset, const __u32 mask)
{
	void *p = start(ctx);

	asm volatile("%1 &= %2\n\t%0 += %1" : "+r"(p), "+r"(offset) : "i"(mask));
	return p;
}

/* new_connection reports a SYN: no flow is known by it yet. */
INLINE bool begins(const struct packet *p)
{
	return p->proto == PROTO_TCP && (p->tcp & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* parse_link reads Ethernet and up to two VLAN tags (IEEE 802.1Q and 802.1ad). */
INLINE bool parse_link(struct xdp_md *ctx, struct packet *p)
{
	struct ethhdr *eth = start(ctx);
	struct vlan *vlan = (void *)(eth + 1);

	if ((void *)(eth + 1) > end(ctx))
		return false;
	p->l3 = sizeof(*eth);
	p->inner_type = eth->h_proto;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		if (p->inner_type != bpf_htons(ETH_P_8021Q) && p->inner_type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(vlan + 1) > end(ctx))
			return false;
		p->inner_type = vlan->type;
		p->l3 += sizeof(*vlan);
		p->flags |= PACKET_VLAN;
		vlan++;
	}
	return true;
}

/* parse_ports reads what TCP and UDP begin with. */
INLINE void parse_ports(struct xdp_md *ctx, struct packet *p, __be16 *sport, __be16 *dport)
{
	struct tcphdr *tcp = at(ctx, p->l4, L4_MASK);
	struct udphdr *udp = (void *)tcp;

	if ((void *)(udp + 1) > end(ctx) || (__u32)(p->l4 - p->l3) + sizeof(*udp) > p->bytes) {
		p->flags |= PACKET_BAD;
		return;
	}
	*sport = udp->source;
	*dport = udp->dest;
	if (p->proto != PROTO_TCP)
		return;
	if ((void *)(tcp + 1) > end(ctx) || (__u32)(p->l4 - p->l3) + sizeof(*tcp) > p->bytes) {
		p->flags |= PACKET_BAD;
		return;
	}
	p->tcp = ((__u8 *)tcp)[13];
}

/* parse_ip4 is false when there is no header to speak of (RFC 791). */
INLINE bool parse_ip4(struct xdp_md *ctx, struct packet *p)
{
	struct iphdr *ip = at(ctx, p->l3, L2_MASK);
	__u16 offset;

	if ((void *)(ip + 1) > end(ctx) || ip->version != 4 || ip->ihl < 5)
		return false;
	p->family = FAMILY4;
	p->proto = ip->protocol;
	p->tos = ip->tos;
	p->ttl = ip->ttl;
	p->id = ip->id;
	p->bytes = bpf_ntohs(ip->tot_len);
	p->l4 = p->l3 + ip->ihl * 4;
	p->t4.src = ip->saddr;
	p->t4.dst = ip->daddr;
	p->t4.proto = ip->protocol;
	if (ip->ihl > 5)
		p->flags |= PACKET_OPTIONS;
	if (p->bytes < ip->ihl * 4 || (void *)ip + p->bytes > end(ctx))
		p->flags |= PACKET_BAD;
	offset = bpf_ntohs(ip->frag_off);
	if (offset & IP4_DF)
		p->flags |= PACKET_DF;
	if (offset & IP4_OFFSET)
		p->flags |= PACKET_LATER;
	else if (offset & IP4_MF)
		p->flags |= PACKET_FIRST;
	if ((p->proto == PROTO_TCP || p->proto == PROTO_UDP) && !(p->flags & PACKET_LATER))
		parse_ports(ctx, p, &p->t4.sport, &p->t4.dport);
	return true;
}

struct extension {
	__u8 next;
	__u8 length; /* in 8 bytes, the first 8 not counted */
	__be16 fragment; /* offset in 8 bytes << 3, and bit 0: more follow */
	__be32 id;
};

#define FRAGMENT_MORE 0x0001
#define FRAGMENT_OFFSET 0xfff8

/*
 * walk_extensions follows the chain of headers (RFC 8200, section 4) to TCP, UDP
 * or ICMPv6. What has more of them than EXTENSIONS_MAX, one that routes, or one
 * we do not know, keeps the number of that header as its protocol: it is nobody's.
 */
INLINE void walk_extensions(struct xdp_md *ctx, struct packet *p)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		struct extension *x;

		if (p->proto != IPPROTO_HOPOPTS && p->proto != IPPROTO_DSTOPTS && p->proto != IPPROTO_FRAGMENT)
			return;
		p->flags |= PACKET_OPTIONS;
		x = at(ctx, p->l4, L4_MASK);
		if ((void *)(x + 1) > end(ctx) || p->l4 > L4_MASK - 8) {
			p->flags |= PACKET_BAD;
			return;
		}
		if (p->proto == IPPROTO_FRAGMENT) {
			__u16 offset = bpf_ntohs(x->fragment);

			p->id = x->id;
			p->l4 += 8;
			if (offset & FRAGMENT_OFFSET)
				p->flags |= PACKET_LATER;
			else if (offset & FRAGMENT_MORE)
				p->flags |= PACKET_FIRST;
		} else {
			p->l4 += (x->length + 1) * 8;
		}
		p->proto = x->next;
		if (p->flags & PACKET_LATER)
			return; /* what follows is in the middle of something */
	}
}

INLINE bool parse_ip6(struct xdp_md *ctx, struct packet *p)
{
	struct ipv6hdr *ip = at(ctx, p->l3, L2_MASK);

	if ((void *)(ip + 1) > end(ctx) || ip->version != 6)
		return false;
	p->family = FAMILY6;
	p->proto = ip->nexthdr;
	p->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	p->ttl = ip->hop_limit;
	p->bytes = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	p->l4 = p->l3 + sizeof(*ip);
	p->flags |= PACKET_DF; /* routers do not fragment IPv6 */
	__builtin_memcpy(p->t6.src, &ip->saddr, 16);
	__builtin_memcpy(p->t6.dst, &ip->daddr, 16);
	if (!ip->payload_len || (void *)ip + p->bytes > end(ctx))
		p->flags |= PACKET_BAD;
	walk_extensions(ctx, p);
	if (p->l4 > L4_MASK - sizeof(struct tcphdr))
		p->flags |= PACKET_BAD;
	p->t6.proto = p->proto;
	if ((p->proto == PROTO_TCP || p->proto == PROTO_UDP) && !(p->flags & PACKET_LATER))
		parse_ports(ctx, p, &p->t6.sport, &p->t6.dport);
	return true;
}
