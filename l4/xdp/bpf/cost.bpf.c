/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measures other programs: a test run hands this one the same packet again and
 * again, as the program before left it. It puts the packet back to what a client
 * sends, of a flow that numbers make, and goes on to the program that is measured.
 */
#include "packet.h"

char LICENSE[] SEC("license") = "GPL";

#define CLIENT_PORTS 4096 /* of each client; the next flows have the next client */
#define PORT_FIRST 1024

struct shape {
	__be32 vip[4];
	__be16 port;
	__u16 bytes; /* of the whole frame */
	__u8 family;
	__u8 flags; /* of TCP */
	__u16 zero;
	__u32 flows; /* a power of two: numbers of flows go round */
	__u32 first; /* added to them, so that a run has flows that none had before */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shape);
} shapes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

INLINE void put_eth(struct ethhdr *eth, __be16 type)
{
	__builtin_memset(eth, 2, 2 * ETH_ALEN);
	eth->h_proto = type;
}

INLINE void put_tcp(struct tcphdr *tcp, const struct shape *s, __u32 flow)
{
	tcp->source = bpf_htons(PORT_FIRST + flow % CLIENT_PORTS);
	tcp->dest = s->port;
	((__u8 *)tcp)[12] = sizeof(*tcp) << 2;
	((__u8 *)tcp)[13] = s->flags;
}

INLINE int packet4(struct xdp_md *ctx, const struct shape *s, __u32 flow)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	put_eth(eth, bpf_htons(ETH_P_IP));
	*ip = (struct iphdr){.version = 4, .ihl = 5, .tot_len = bpf_htons(s->bytes - sizeof(*eth)), .ttl = 64, .protocol = PROTO_TCP};
	ip->saddr = bpf_htonl(10 << 24 | flow / CLIENT_PORTS);
	ip->daddr = s->vip[0];
	put_tcp(tcp, s, flow);
	bpf_tail_call(ctx, &measured, 0);
	return XDP_ABORTED;
}

INLINE int packet6(struct xdp_md *ctx, const struct shape *s, __u32 flow)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	put_eth(eth, bpf_htons(ETH_P_IPV6));
	*(__be32 *)ip = bpf_htonl(6 << 28);
	ip->payload_len = bpf_htons(s->bytes - sizeof(*eth) - sizeof(*ip));
	ip->nexthdr = PROTO_TCP;
	ip->hop_limit = 64;
	ip->saddr.in6_u.u6_addr32[0] = bpf_htonl(0x20010db8);
	ip->saddr.in6_u.u6_addr32[1] = 0;
	ip->saddr.in6_u.u6_addr32[2] = 0;
	ip->saddr.in6_u.u6_addr32[3] = bpf_htonl(flow / CLIENT_PORTS);
	__builtin_memcpy(&ip->daddr, s->vip, 16);
	put_tcp(tcp, s, flow);
	bpf_tail_call(ctx, &measured, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int cost(struct xdp_md *ctx)
{
	__u32 zero = 0, flow;
	struct shape *s = bpf_map_lookup_elem(&shapes, &zero);
	__u32 *n = bpf_map_lookup_elem(&sent, &zero);
	void *start, *end;
	long more;

	if (!s || !n)
		return XDP_ABORTED;
	start = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	more = end - start - s->bytes;
	if (more && bpf_xdp_adjust_head(ctx, more))
		return XDP_ABORTED;
	/* Steps of an odd number visit every flow, and no two in turn are neighbors. */
	flow = s->first + ((*n)++ * 2654435761u & (s->flows - 1));
	return s->family == FAMILY4 ? packet4(ctx, s, flow) : packet6(ctx, s, flow);
}

/* bare is the least that a program can do to send a packet. */
SEC("xdp")
int bare(struct xdp_md *ctx)
{
	return XDP_TX;
}
