/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A SYN of a flood, answered with a SYN cookie without waking the kernel's TCP.
 *
 * The kernel decides whether: bpf_tcp_gen_syncookie gives a cookie only for a
 * listener whose queue of handshakes is full, and the cookie is its own, so that it
 * takes the ACK for what it is. What the program saves is an skb each way. It pays
 * with options: without the secret of the kernel's timestamps a cookie carries the
 * MSS alone, no window scale and no SACK. So the first SYNs of each second are the
 * kernel's, whose own cookies carry these.
 */
#pragma once

#include "packet.h"

struct settings {
	__u32 calm; /* SYNs a second on one core that are left to the kernel */
	__u32 mss4; /* the largest segment that fits when wrapped */
	__u32 mss6;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct rate {
	__u64 since; /* ns */
	__u64 syns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rate);
} rates SEC(".maps");

#define SECOND 1000000000ull
#define TTL 64
#define WINDOW 14600 /* ten segments, until the kernel says what it has room for */
#define FRAME_MIN 60 /* of Ethernet, without its checksum */

/* Whether this core has had more SYNs in this second than are left to the kernel. */
INLINE int is_hot(const struct settings *s)
{
	__u32 zero = 0;
	struct rate *r = bpf_map_lookup_elem(&rates, &zero);
	__u64 now = bpf_ktime_get_ns();

	if (!r)
		return 0;
	if (now - r->since >= SECOND) {
		r->since = now;
		r->syns = 0;
	}
	return r->syns++ >= s->calm;
}

/*
 * The cookie for a SYN, above it the MSS that it carries; 0 or less where the kernel
 * gives none. The header is copied, as options may be of any length and the verifier
 * wants to see that the longest fits.
 */
INLINE __s64 cookie_of(struct xdp_md *ctx, struct bpf_sock_tuple *flow, __u32 size, void *ip, __u32 ip_size, struct tcphdr *tcp)
{
	void *end = (void *)(long)ctx->data_end;
	__u32 head[15] = {};
	__u32 words = tcp->doff;
	struct bpf_sock *sk;
	__s64 cookie = 0;

	if (words < 5 || words > 15)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < 15; i++) {
		__u32 *word = (__u32 *)tcp + i;

		if (i < words) {
			if ((void *)(word + 1) > end)
				return 0;
			head[i] = *word;
		}
	}
	sk = bpf_skc_lookup_tcp(ctx, flow, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	if (sk->state == BPF_TCP_LISTEN)
		cookie = bpf_tcp_gen_syncookie(sk, ip, ip_size, (struct tcphdr *)head, words * 4);
	bpf_sk_release(sk);
	return cookie;
}

/* A segment with the MSS as its only option. */
struct syn_ack {
	struct tcphdr tcp;
	__u8 kind, length;
	__be16 mss;
};

/* Writes the answer; sum is that of the pseudo header. */
INLINE void write_syn_ack(struct syn_ack *to, const struct tcphdr *syn, __s64 cookie, __u32 mss, __u32 sum)
{
	const __u16 *word = (const void *)to;
	__u32 most = (__u64)cookie >> 32;

	__builtin_memset(to, 0, sizeof(*to));
	to->tcp.source = syn->dest;
	to->tcp.dest = syn->source;
	to->tcp.seq = bpf_htonl((__u32)cookie);
	to->tcp.ack_seq = bpf_htonl(bpf_ntohl(syn->seq) + 1);
	to->tcp.doff = sizeof(*to) / 4;
	to->tcp.syn = 1;
	to->tcp.ack = 1;
	to->tcp.window = bpf_htons(WINDOW);
	to->kind = 2; /* RFC 9293, section 3.2 */
	to->length = 4;
	to->mss = bpf_htons(most < mss ? most : mss);
	sum += bpf_htons(PROTO_TCP) + bpf_htons(sizeof(*to));
#pragma unroll
	for (__u32 i = 0; i < sizeof(*to) / 2; i++)
		sum += word[i];
	to->tcp.check = ~fold(sum);
}

/* Cuts the frame to so many bytes and turns it round. NULL: it could not be done. */
INLINE void *turned(struct xdp_md *ctx, __u32 length)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u8 to[ETH_ALEN], from[ETH_ALEN];

	if ((void *)(eth + 1) > end)
		return NULL;
	__builtin_memcpy(to, eth->h_source, ETH_ALEN);
	__builtin_memcpy(from, eth->h_dest, ETH_ALEN);
	if (bpf_xdp_adjust_head(ctx, (int)(end - (void *)eth) - (int)length))
		return NULL;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)eth + length > end)
		return NULL;
	__builtin_memcpy(eth->h_dest, to, ETH_ALEN);
	__builtin_memcpy(eth->h_source, from, ETH_ALEN);
	return eth;
}

/*
 * answer4 makes the frame, whose packet within begins after so many bytes of outer
 * headers, the answer to the SYN in it. 0: no cookie is due, and the frame is as it
 * was. XDP_DROP: it is spoilt.
 */
static __noinline int answer4(struct xdp_md *ctx, __u32 outer, __u32 mss)
{
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr) + (outer & 0xff);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct bpf_sock_tuple flow = {};
	struct tcphdr syn;
	struct ethhdr *eth;
	__s64 cookie;

	if ((void *)(tcp + 1) > end || ip->ihl != 5)
		return 0;
	flow.ipv4.saddr = ip->saddr;
	flow.ipv4.daddr = ip->daddr;
	flow.ipv4.sport = tcp->source;
	flow.ipv4.dport = tcp->dest;
	syn = *tcp;
	cookie = cookie_of(ctx, &flow, sizeof(flow.ipv4), ip, sizeof(*ip), tcp);
	if (cookie <= 0)
		return 0;
	eth = turned(ctx, FRAME_MIN);
	if (!eth || (void *)eth + FRAME_MIN > (void *)(long)ctx->data_end)
		return XDP_DROP;
	eth->h_proto = bpf_htons(ETH_P_IP);
	ip = (void *)(eth + 1);
	__builtin_memset(ip, 0, FRAME_MIN - sizeof(*eth));
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(struct syn_ack));
	ip->frag_off = bpf_htons(IP4_DF);
	ip->ttl = TTL;
	ip->protocol = PROTO_TCP;
	ip->saddr = flow.ipv4.daddr;
	ip->daddr = flow.ipv4.saddr;
	ip->check = sum_ip4(ip);
	write_syn_ack((void *)(ip + 1), &syn, cookie, mss,
		      (ip->saddr & 0xffff) + (ip->saddr >> 16) + (ip->daddr & 0xffff) + (ip->daddr >> 16));
	return XDP_TX;
}

#define FRAME6 (sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct syn_ack))

static __noinline int answer6(struct xdp_md *ctx, __u32 outer, __u32 mss)
{
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr) + (outer & 0xff);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct bpf_sock_tuple flow = {};
	struct tcphdr syn;
	struct ethhdr *eth;
	const __u16 *word;
	__u32 sum = 0;
	__s64 cookie;

	if ((void *)(tcp + 1) > end || ip->nexthdr != PROTO_TCP)
		return 0;
	__builtin_memcpy(flow.ipv6.saddr, &ip->saddr, 16);
	__builtin_memcpy(flow.ipv6.daddr, &ip->daddr, 16);
	flow.ipv6.sport = tcp->source;
	flow.ipv6.dport = tcp->dest;
	syn = *tcp;
	cookie = cookie_of(ctx, &flow, sizeof(flow.ipv6), ip, sizeof(*ip), tcp);
	if (cookie <= 0)
		return 0;
	eth = turned(ctx, FRAME6);
	if (!eth || (void *)eth + FRAME6 > (void *)(long)ctx->data_end)
		return XDP_DROP;
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	ip = (void *)(eth + 1);
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->payload_len = bpf_htons(sizeof(struct syn_ack));
	ip->nexthdr = PROTO_TCP;
	ip->hop_limit = TTL;
	__builtin_memcpy(&ip->saddr, flow.ipv6.daddr, 16);
	__builtin_memcpy(&ip->daddr, flow.ipv6.saddr, 16);
	word = (const void *)&ip->saddr;
#pragma unroll
	for (int i = 0; i < 16; i++)
		sum += word[i];
	write_syn_ack((void *)(ip + 1), &syn, cookie, mss, sum);
	return XDP_TX;
}
