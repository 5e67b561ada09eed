/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The balancer: a packet for a VIP goes to the target of its flow, one of a NAT
 * flow back to its client, and everything else to the kernel, or to the next
 * program where there is one.
 *
 *   parse.h  what the packet is
 *   flow.h   VIP, then flow table, then the listener's table: which target
 *   quic.h   the target by connection id
 *   encap.h  into a header of its own, and off
 *   nat.h    or rewritten, both ways
 *   error.h  ICMP about flows; icmp.h  what the VIP itself says
 *   send.h   which way out
 *   maps.h   what Go fills in; count.h  what Go reads
 */
#include "encap.h"
#include "error.h"
#include "nat.h"

char LICENSE[] SEC("license") = "GPL";

INLINE void fragment_key(const struct packet *p, const int family, struct fragment_key *key)
{
	key->id = p->id;
	key->proto = p->proto;
	key->family = family;
	if (family == FAMILY4) {
		key->src[0] = p->t4.src;
		key->dst[0] = p->t4.dst;
		return;
	}
	__builtin_memcpy(key->src, p->t6.src, 16);
	__builtin_memcpy(key->dst, p->t6.dst, 16);
}

/*
 * later sends a fragment where the first of its packet went: only that one has
 * ports. It is dropped when it overtook the first.
 */
static __noinline int later(struct xdp_md *ctx, struct packet *p, const int family)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	struct fragment_key key = {};
	struct choice c = {};
	struct fragment *f;

	fragment_key(p, family, &key);
	f = bpf_map_lookup_elem(&fragments, &key);
	if (!cfg || !f)
		return find_vip(p, family, 0, family == FAMILY4 ? PROTO_ICMP : PROTO_ICMPV6) ? drop(0, DROP_FRAGMENT) : NOT_OURS;
	if (p->flags & PACKET_BAD)
		return drop(f->vip.listener, DROP_MALFORMED);
	c.hash = flow_hash(p, family, VIP_BY_SOURCE);
	recall(&f->flow, &c);
	if (!c.target)
		return drop(f->vip.listener, DROP_FRAGMENT);
	count(f->vip.listener, EVENT_FRAGMENT);
	return forward(ctx, cfg, p, &f->vip, &c);
}

static __noinline void note_fragment(const struct packet *p, const int family, const struct vip *vip, const struct choice *c)
{
	struct fragment_key key = {};
	struct fragment f = {.flow = {.slot = c->id, .epoch = c->target->epoch}, .vip = *vip};

	fragment_key(p, family, &key);
	bpf_map_update_elem(&fragments, &key, &f, BPF_ANY);
	count(vip->listener, EVENT_FRAGMENT);
}

INLINE int steer(struct xdp_md *ctx, const struct packet *p, const int family, const struct vip *vip)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	__u32 named = vip->flags & VIP_QUIC ? quic_target(ctx, p, vip) : 0;
	struct choice c;

	if (!cfg)
		return XDP_DROP;
	if (named)
		c = (struct choice){.id = named, .target = slot_owner(named), .hash = flow_hash(p, family, vip->flags)};
	else
		choose(cfg, p, family, vip, &c);
	if (!c.target)
		return drop(vip->listener, c.why);
	if (p->flags & PACKET_FIRST)
		note_fragment(p, family, vip, &c);
	return forward(ctx, cfg, p, vip, &c);
}

/* Frames of the stack are 512 bytes in all, so the main one is kept small. */
static __noinline int steer4(struct xdp_md *ctx, const struct packet *p, const struct vip *vip)
{
	return steer(ctx, p, FAMILY4, vip);
}

static __noinline int steer6(struct xdp_md *ctx, const struct packet *p, const struct vip *vip)
{
	return steer(ctx, p, FAMILY6, vip);
}

INLINE int balance(struct xdp_md *ctx, const struct config *cfg, struct packet *p, const int family)
{
	struct vip *vip;

	if (p->proto == (family == FAMILY4 ? PROTO_ICMP : PROTO_ICMPV6))
		return control(ctx, cfg, p, family);
	if (p->flags & PACKET_LATER)
		return later(ctx, p, family);
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return NOT_OURS;
	vip = find_vip(p, family, family == FAMILY4 ? p->t4.dport : p->t6.dport, p->proto);
	if (!vip)
		return is_nat(cfg, p, family) ? to_client(ctx, p, family) : NOT_OURS;
	if (p->flags & PACKET_VLAN)
		count(vip->listener, EVENT_VLAN);
	if (p->flags & PACKET_OPTIONS)
		count(vip->listener, EVENT_OPTIONS);
	if (p->flags & PACKET_BAD)
		return drop(vip->listener, DROP_MALFORMED);
	if (vip->mode == MODE_NAT)
		return to_target(ctx, p, vip, family);
	return family == FAMILY4 ? steer4(ctx, p, vip) : steer6(ctx, p, vip);
}

SEC("xdp")
int balancer(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct config *cfg = bpf_map_lookup_elem(&config, &zero);
	struct packet p = {};
	int done = NOT_OURS;

	if (!cfg || !parse_link(ctx, &p))
		return pass(ctx);
	if (p.inner_type == bpf_htons(ETH_P_IP) && parse_ip4(ctx, &p))
		done = balance(ctx, cfg, &p, FAMILY4);
	else if (p.inner_type == bpf_htons(ETH_P_IPV6) && parse_ip6(ctx, &p))
		done = balance(ctx, cfg, &p, FAMILY6);
	return done == NOT_OURS ? pass(ctx) : done;
}
