/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The modes that leave the client's packet as it is and put a header before it.
 * The inner TTL stays: a tunnel of ours is the inside of one node to the world.
 * Of the outer header, DF is set and ECN is not used (RFC 6040, section 4.1,
 * compatibility mode): a target that cannot put it back must not lose a mark.
 */
#pragma once

#include "flow.h"
#include "icmp.h"
#include "send.h"

#define OUTER_TTL 64
#define DSCP 0xfc

#define GUE4_LEN (sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct gue) + sizeof(struct chain4))
#define GUE6_LEN (sizeof(struct ipv6hdr) + sizeof(struct udphdr) + sizeof(struct gue) + sizeof(struct chain6))

INLINE void set_type(struct xdp_md *ctx, __u32 l3, __be16 type)
{
	__be16 *last = at(ctx, l3 - sizeof(*last), L2_MASK);

	if ((void *)(last + 1) <= end(ctx))
		*last = type;
}

INLINE void put_ip4(struct iphdr *ip, const struct packet *p, __be32 src, __be32 dst, __u8 proto, __u32 more)
{
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = p->tos & DSCP;
	ip->tot_len = bpf_htons(p->bytes + more);
	ip->id = 0;
	ip->frag_off = bpf_htons(IP4_DF);
	ip->ttl = OUTER_TTL;
	ip->protocol = proto;
	ip->check = 0;
	ip->saddr = src;
	ip->daddr = dst;
	ip->check = sum_ip4(ip);
}

/* put_ip6 writes a header whose flow label tells flows apart (RFC 6438). */
INLINE void put_ip6(struct ipv6hdr *ip, const struct packet *p, const struct choice *c, const struct config *cfg, __u8 proto, __u32 more)
{
	*(__be32 *)ip = bpf_htonl(6 << 28 | (p->tos & DSCP) << 20 | (c->hash & 0xfffff));
	ip->payload_len = bpf_htons(p->bytes + more - sizeof(*ip));
	ip->nexthdr = proto;
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->saddr, cfg->source6, 16);
	__builtin_memcpy(&ip->daddr, c->target->addr, 16);
}

INLINE void put_gue(struct udphdr *udp, struct gue *gue, const struct packet *p, __u32 hash, const int words, __u32 more)
{
	udp->source = bpf_htons(0xc000 | (hash & 0x3fff));
	udp->dest = bpf_htons(GUE_PORT);
	udp->len = bpf_htons(p->bytes + more);
	udp->check = 0; /* RFC 6935 allows it to tunnels over IPv6 */
	gue->first = words;
	gue->inner = p->family == FAMILY4 ? PROTO_IPIP : PROTO_IPV6;
	gue->flags = 0;
}

INLINE bool no_source6(const struct config *cfg)
{
	return !(cfg->source6[0] | cfg->source6[1] | cfg->source6[2] | cfg->source6[3]);
}

INLINE int gue4(struct xdp_md *ctx, const struct config *cfg, const struct packet *p, const struct choice *c, __u32 listener)
{
	struct target *second = c->second;
	__be32 second_addr = second && second->family == FAMILY4 ? second->addr[0] : 0, dst = c->target->addr[0];
	struct iphdr *ip;
	struct udphdr *udp;
	struct gue *gue;
	struct chain4 *chain;

	if (!cfg->source4)
		return drop(listener, DROP_NO_SOURCE);
	if (cfg->mtu && p->bytes + GUE4_LEN > cfg->mtu)
		return too_big(ctx, p, cfg->mtu - GUE4_LEN, listener);
	if (!grow(ctx, p, GUE4_LEN))
		return drop(listener, DROP_HEADROOM);
	set_type(ctx, p->l3, bpf_htons(ETH_P_IP));
	ip = at(ctx, p->l3, L2_MASK);
	udp = (void *)(ip + 1);
	gue = (void *)(udp + 1);
	chain = (void *)(gue + 1);
	if ((void *)(chain + 1) > end(ctx))
		return drop(listener, DROP_HEADROOM);
	put_ip4(ip, p, cfg->source4, dst, PROTO_UDP, GUE4_LEN);
	put_gue(udp, gue, p, c->hash, GUE_HLEN4, GUE4_LEN - sizeof(*ip));
	chain->type = CHAIN4;
	chain->left = second_addr ? 1 : 0;
	chain->zero = 0;
	chain->second = second_addr;
	return leave(ctx, cfg, p->l3, listener);
}

INLINE int gue6(struct xdp_md *ctx, const struct config *cfg, const struct packet *p, const struct choice *c, __u32 listener)
{
	struct target *second = c->second;
	struct ipv6hdr *ip;
	struct udphdr *udp;
	struct gue *gue;
	struct chain6 *chain;

	if (no_source6(cfg))
		return drop(listener, DROP_NO_SOURCE);
	if (cfg->mtu && p->bytes + GUE6_LEN > cfg->mtu)
		return too_big(ctx, p, cfg->mtu - GUE6_LEN, listener);
	if (!grow(ctx, p, GUE6_LEN))
		return drop(listener, DROP_HEADROOM);
	set_type(ctx, p->l3, bpf_htons(ETH_P_IPV6));
	ip = at(ctx, p->l3, L2_MASK);
	udp = (void *)(ip + 1);
	gue = (void *)(udp + 1);
	chain = (void *)(gue + 1);
	if ((void *)(chain + 1) > end(ctx))
		return drop(listener, DROP_HEADROOM);
	put_ip6(ip, p, c, cfg, PROTO_UDP, GUE6_LEN);
	put_gue(udp, gue, p, c->hash, GUE_HLEN6, GUE6_LEN - sizeof(*ip));
	chain->type = CHAIN6;
	chain->left = second && second->family == FAMILY6 ? 1 : 0;
	chain->zero = 0;
	if (chain->left)
		__builtin_memcpy(chain->second, second->addr, 16);
	else
		__builtin_memset(chain->second, 0, 16);
	return leave(ctx, cfg, p->l3, listener);
}

/* ip6 puts the packet into IPv6 (RFC 2473), with an option that names the second target. */
INLINE int ip6ip6(struct xdp_md *ctx, const struct config *cfg, const struct packet *p, const struct choice *c, __u32 listener)
{
	__u8 inner = p->family == FAMILY4 ? PROTO_IPIP : PROTO_IPV6;
	struct target *second = c->second;
	struct chain_option *option;
	struct ipv6hdr *ip;

	if (second && second->family != FAMILY6)
		second = NULL;
	if (no_source6(cfg))
		return drop(listener, DROP_NO_SOURCE);
	/* The room for the option counts even where there is none: a path's MTU must not jump. */
	if (cfg->mtu && p->bytes + sizeof(*ip) + sizeof(*option) > cfg->mtu)
		return too_big(ctx, p, cfg->mtu - sizeof(*ip) - sizeof(*option), listener);
	if (!(second ? grow(ctx, p, sizeof(*ip) + sizeof(*option)) : grow(ctx, p, sizeof(*ip))))
		return drop(listener, DROP_HEADROOM);
	set_type(ctx, p->l3, bpf_htons(ETH_P_IPV6));
	ip = at(ctx, p->l3, L2_MASK);
	if ((void *)(ip + 1) > end(ctx))
		return drop(listener, DROP_HEADROOM);
	if (!second) {
		put_ip6(ip, p, c, cfg, inner, sizeof(*ip));
		return leave(ctx, cfg, p->l3, listener);
	}
	option = (void *)(ip + 1);
	if ((void *)(option + 1) > end(ctx))
		return drop(listener, DROP_HEADROOM);
	put_ip6(ip, p, c, cfg, IPPROTO_DSTOPTS, sizeof(*ip) + sizeof(*option));
	*option = (struct chain_option){
		.next = inner, .hdrlen = OPTION_CHAIN_HDRLEN, .option = OPTION_CHAIN, .optlen = OPTION_CHAIN_LEN, .version = 1, .left = 1,
	};
	__builtin_memcpy(option->second, second->addr, 16);
	return leave(ctx, cfg, p->l3, listener);
}

/* ipip puts the packet into IPv4 (RFC 2003 and RFC 4213), for targets that are not ours. */
INLINE int ipip(struct xdp_md *ctx, const struct config *cfg, const struct packet *p, const struct choice *c, __u32 listener)
{
	__be32 dst = c->target->addr[0];
	struct iphdr *ip;

	if (!cfg->source4)
		return drop(listener, DROP_NO_SOURCE);
	if (cfg->mtu && p->bytes + sizeof(*ip) > cfg->mtu)
		return too_big(ctx, p, cfg->mtu - sizeof(*ip), listener);
	if (!grow(ctx, p, sizeof(*ip)))
		return drop(listener, DROP_HEADROOM);
	set_type(ctx, p->l3, bpf_htons(ETH_P_IP));
	ip = at(ctx, p->l3, L2_MASK);
	if ((void *)(ip + 1) > end(ctx))
		return drop(listener, DROP_HEADROOM);
	put_ip4(ip, p, cfg->source4, dst, p->family == FAMILY4 ? PROTO_IPIP : PROTO_IPV6, sizeof(*ip));
	return leave(ctx, cfg, p->l3, listener);
}

/* dsr changes the MAC address alone (direct server return on the link). */
INLINE int dsr(struct xdp_md *ctx, const struct config *cfg, const struct choice *c, __u32 listener)
{
	struct ethhdr *eth = start(ctx);
	const struct uplink *by;

	if ((void *)(eth + 1) > end(ctx))
		return drop(listener, DROP_MALFORMED);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, c->target->mac, ETH_ALEN);
	if (!c->target->ifindex || c->target->ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	by = uplink_of(cfg, c->target->ifindex);
	if (by) /* or a switch refuses it, or learns that the other is here */
		__builtin_memcpy(eth->h_source, by->mac, ETH_ALEN);
	return bpf_redirect(c->target->ifindex, 0);
}

/* forward sends a packet to the target of its flow. Not for MODE_NAT. */
INLINE int forward(struct xdp_md *ctx, const struct config *cfg, const struct packet *p, const struct vip *vip, const struct choice *c)
{
	__u32 listener = vip->listener;
	__u8 family = c->target->family;

	count_traffic(listener, c->id, p->bytes);
	if (vip->mode == MODE_GUE)
		return family == FAMILY4 ? gue4(ctx, cfg, p, c, listener) : gue6(ctx, cfg, p, c, listener);
	if (vip->mode == MODE_IP6IP6 && family == FAMILY6)
		return ip6ip6(ctx, cfg, p, c, listener);
	if (vip->mode == MODE_IPIP && family == FAMILY4)
		return ipip(ctx, cfg, p, c, listener);
	if (vip->mode == MODE_DSR)
		return dsr(ctx, cfg, c, listener);
	return drop(listener, DROP_MODE);
}
