// SPDX-License-Identifier: GPL-2.0
//
// The decapsulator of an l7 node. What comes in: packets that l4 nodes of the
// site wrapped for this node, in GUE, IPv4 or IPv6. What goes out: the packet
// within, to the kernel's own TCP; or, when no socket here owns its flow and the
// wrapping names a second node to ask, the same packet sent on to that one (the
// second chance of docs/design/0006). What is not wrapped, or comes from someone
// who is no node of the site, passes as if this program were not there.
//
// Start reading at portico_decap, at the end.
#include "cookie.h"
#include <linux/in6.h>

char LICENSE[] SEC("license") = "GPL"; // bpf_tcp_check_syncookie asks for it

// An address of either family; IPv4 as ::ffff:a.b.c.d.
struct addr {
	__u32 word[4];
};

// What the node knows of another. Roles: see below.
struct node {
	__u32 roles;
	__u32 ifindex; // where it is reached; 0: send back to where the packet came from
	__u8 mac[6];   // of the next hop to it
	__u8 source[6];
};

enum {
	IS_SELF = 1, // an address of this node
	IS_L4 = 2,   // may wrap packets for us
	IS_L7 = 4,   // may be asked second, and may have asked us second
};

// Why a packet went where it did. The names are in results.go, in this order.
enum result {
	SYN,       // begins a flow: ours
	FLOW,      // a socket here owns it
	COOKIE,    // ends a handshake that the kernel remembers in a cookie
	LAST,      // nobody owns it, and nobody is left to ask: the kernel resets it
	UDP,       // has no connection that could be looked up
	ICMP,      // an error or a question
	OTHER,     // a fragment, or another protocol
	CHAINED,   // nobody here owns it: sent on
	ANSWERED,  // begins a flow, one of a flood: answered with a cookie
	MALFORMED, // dropped, as are the next two
	NOT_VIP,   // to an address that this node does not hold
	HOPS,      // was sent on too often
	STRANGER,  // wrapped by nobody we know: passed as it is
	RESULTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct addr);
	__type(value, struct node);
} nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct addr);
	__type(value, __u32);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RESULTS);
	__type(key, __u32);
	__type(value, __u64);
} results SEC(".maps");

// The addresses of the outer headers. They are apart from the rest, which stays in
// registers: what a map lookup is given lies on the stack, where the verifier
// forgets that a size is one of a few.
struct ends {
	struct addr src, dst, second;
};

// What else the outer headers say.
struct outer {
	__u32 size;   // of the outer headers: where the packet within begins, after Ethernet
	__u32 length; // of the packet within
	__u8 version; // 4 or 6
	__u8 proto;   // what follows the IP header
	__u8 inner;   // 4 or 41: the packet within
	__u8 left;
	__u8 hops;    // that it may still take
};

INLINE void count(__u32 result)
{
	__u64 *n = bpf_map_lookup_elem(&results, &result);
	if (n)
		++*n;
}

INLINE struct addr mapped(__be32 v4)
{
	return (struct addr){{0, 0, bpf_htonl(0xffff), v4}};
}

INLINE struct addr v6(const struct in6_addr *a)
{
	const __u32 *w = (const void *)a;
	return (struct addr){{w[0], w[1], w[2], w[3]}};
}

INLINE int is_zero(const struct addr *a)
{
	return !(a->word[0] | a->word[1] | a->word[2] | a->word[3]);
}

// Whether a protocol can wrap, or be wrapped as, a packet.
INLINE int is_packet(__u8 proto)
{
	return proto == PROTO_IPIP || proto == PROTO_IPV6;
}

// Reads the outer IP header. Returns 0 for what is not wrapped at all: that is
// looked at no further. Fragments are not: nodes set DF, and IPv6 has a header
// of its own for them.
INLINE int read_ip(void *at, void *end, __be16 ethertype, struct outer *o, struct ends *e)
{
	if (ethertype == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = at;
		if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5)
			return 0;
		if (ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET))
			return 0;
		o->version = 4, o->proto = ip->protocol, o->size = sizeof(*ip);
		o->length = bpf_ntohs(ip->tot_len) - sizeof(*ip); // below 0 is too long
		o->hops = ip->ttl;
		e->src = mapped(ip->saddr), e->dst = mapped(ip->daddr);
	} else if (ethertype == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;
		if ((void *)(ip + 1) > end || ip->version != 6)
			return 0;
		o->version = 6, o->proto = ip->nexthdr, o->size = sizeof(*ip);
		o->length = bpf_ntohs(ip->payload_len), o->hops = ip->hop_limit;
		e->src = v6(&ip->saddr), e->dst = v6(&ip->daddr);
	} else {
		return 0;
	}
	if (o->proto == PROTO_UDP) {
		struct udphdr *udp = at + o->size;
		return (void *)(udp + 1) <= end && udp->dest == bpf_htons(GUE_PORT);
	}
	return is_packet(o->proto) || (o->version == 6 && o->proto == IPPROTO_DSTOPTS);
}

// Reads GUE after the UDP header. Returns 0 when anything is not as we send it.
INLINE int read_gue(void *at, void *end, struct outer *o, struct ends *e)
{
	struct udphdr *udp = at + o->size;
	struct gue *gue = (void *)(udp + 1);
	__u32 size = sizeof(*udp) + sizeof(*gue);
	if ((void *)(gue + 1) > end)
		return 0;
	// A checksum of 0 is none, over IPv6 too (RFC 6935).
	if (udp->check || bpf_ntohs(udp->len) != o->length || gue->flags)
		return 0;
	if (o->version == 4) {
		struct chain4 *chain = (void *)(gue + 1);
		if ((void *)(chain + 1) > end || gue->first != GUE_HLEN4 || chain->type != CHAIN4 || chain->zero)
			return 0;
		if (chain->second)
			e->second = mapped(chain->second);
		o->left = chain->left;
		size += sizeof(*chain);
	} else {
		struct chain6 *chain = (void *)(gue + 1);
		if ((void *)(chain + 1) > end || gue->first != GUE_HLEN6 || chain->type != CHAIN6 || chain->zero)
			return 0;
		__builtin_memcpy(&e->second, chain->second, sizeof(e->second));
		o->left = chain->left;
		size += sizeof(*chain);
	}
	o->inner = gue->inner;
	o->size += size, o->length -= size;
	return 1;
}

// Reads the Destination Options header. Returns 0 when it is not as we send it.
INLINE int read_option(void *at, void *end, struct outer *o, struct ends *e)
{
	struct chain_option *h = at + sizeof(struct ipv6hdr);
	if ((void *)(h + 1) > end || h->hdrlen != OPTION_CHAIN_HDRLEN || h->option != OPTION_CHAIN)
		return 0;
	if (h->optlen != OPTION_CHAIN_LEN || h->version != 1 || h->zero)
		return 0;
	__builtin_memcpy(&e->second, h->second, sizeof(e->second));
	o->inner = h->next, o->left = h->left;
	o->size += sizeof(*h), o->length -= sizeof(*h);
	return 1;
}

// Reads what is between the outer IP header and the packet within.
INLINE int read_wrapping(void *at, void *end, struct outer *o, struct ends *e)
{
	struct iphdr *ip = at;
	if (o->version == 4 && ((void *)(ip + 1) > end || sum_ip4(ip)))
		return 0;
	if (o->proto == PROTO_UDP)
		return read_gue(at, end, o, e);
	if (o->proto == IPPROTO_DSTOPTS)
		return read_option(at, end, o, e);
	o->inner = o->proto;
	return 1;
}

// Which socket here owns a flow: FLOW, COOKIE or, when none does, LAST. A socket
// that listens owns a segment only when that ends a handshake which the kernel,
// its queue being full, remembers in nothing but the cookie. ip is NULL for a
// flow that an ICMP error tells of.
INLINE int owner(struct xdp_md *ctx, struct bpf_sock_tuple *flow, __u32 size, void *ip, __u32 ip_size, struct tcphdr *tcp)
{
	struct bpf_sock *sk = bpf_skc_lookup_tcp(ctx, flow, size, BPF_F_CURRENT_NETNS, 0);
	int result = FLOW;
	if (!sk)
		return LAST;
	if (sk->state == BPF_TCP_LISTEN) {
		result = LAST;
		if (ip && bpf_tcp_check_syncookie(sk, ip, ip_size, tcp, sizeof(*tcp)) == 0)
			result = COOKIE;
	}
	bpf_sk_release(sk);
	return result;
}

// The flow of an IPv4 packet whose ports are at l4. An error tells of a packet
// that this node sent: there the client is the destination.
INLINE void flow4(struct bpf_sock_tuple *flow, const struct iphdr *ip, const __be16 *l4, int sent)
{
	flow->ipv4.saddr = sent ? ip->daddr : ip->saddr;
	flow->ipv4.daddr = sent ? ip->saddr : ip->daddr;
	flow->ipv4.sport = l4[sent];
	flow->ipv4.dport = l4[!sent];
}

INLINE void flow6(struct bpf_sock_tuple *flow, const struct ipv6hdr *ip, const __be16 *l4, int sent)
{
	__builtin_memcpy(flow->ipv6.saddr, sent ? &ip->daddr : &ip->saddr, 16);
	__builtin_memcpy(flow->ipv6.daddr, sent ? &ip->saddr : &ip->daddr, 16);
	flow->ipv6.sport = l4[sent];
	flow->ipv6.dport = l4[!sent];
}

// An ICMP message as far as it is of interest: an error, with the begin of the
// packet that it is about.
struct icmp_error {
	__u8 type, code;
	__u16 check;
	__u32 more;
};

// Looks into an IPv4 packet: where does it belong?
INLINE int inside4(struct xdp_md *ctx, void *at, void *end, __u32 length)
{
	struct bpf_sock_tuple flow = {};
	struct iphdr *ip = at;
	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return MALFORMED;
	if (bpf_ntohs(ip->tot_len) != length || ip->ihl * 4 > length)
		return MALFORMED;
	struct addr vip = mapped(ip->daddr);
	if (!bpf_map_lookup_elem(&vips, &vip))
		return NOT_VIP;
	if (ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET))
		return OTHER; // the rest has no ports: all of them stay together
	void *l4 = at + ip->ihl * 4;
	if (ip->protocol == PROTO_TCP) {
		struct tcphdr *tcp = l4;
		if ((void *)(tcp + 1) > end)
			return MALFORMED;
		if (tcp->syn && !tcp->ack)
			return SYN;
		flow4(&flow, ip, l4, 0);
		return owner(ctx, &flow, sizeof(flow.ipv4), ip, sizeof(*ip), tcp);
	}
	if (ip->protocol == PROTO_UDP)
		return UDP;
	if (ip->protocol != PROTO_ICMP)
		return OTHER;
	struct icmp_error *icmp = l4;
	struct iphdr *about = (void *)(icmp + 1);
	__be16 *ports = (void *)(about + 1);
	// Unreachable (too big is one of them), quench, time exceeded, bad parameter.
	if ((void *)(ports + 2) > end || (icmp->type != 3 && icmp->type != 4 && icmp->type != 11 && icmp->type != 12))
		return ICMP;
	if (about->ihl != 5 || about->protocol != PROTO_TCP)
		return ICMP;
	flow4(&flow, about, ports, 1);
	int result = owner(ctx, &flow, sizeof(flow.ipv4), NULL, 0, NULL);
	return result == FLOW ? ICMP : result;
}

// Looks into an IPv6 packet. Ports after extension headers are not looked for:
// clients do not send any but fragments.
INLINE int inside6(struct xdp_md *ctx, void *at, void *end, __u32 length)
{
	struct bpf_sock_tuple flow = {};
	struct ipv6hdr *ip = at;
	if ((void *)(ip + 1) > end || ip->version != 6 || bpf_ntohs(ip->payload_len) + sizeof(*ip) != length)
		return MALFORMED;
	struct addr vip = v6(&ip->daddr);
	if (!bpf_map_lookup_elem(&vips, &vip))
		return NOT_VIP;
	if (ip->nexthdr == PROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip + 1);
		if ((void *)(tcp + 1) > end)
			return MALFORMED;
		if (tcp->syn && !tcp->ack)
			return SYN;
		flow6(&flow, ip, (void *)tcp, 0);
		return owner(ctx, &flow, sizeof(flow.ipv6), ip, sizeof(*ip), tcp);
	}
	if (ip->nexthdr == PROTO_UDP)
		return UDP;
	if (ip->nexthdr != PROTO_ICMPV6)
		return OTHER;
	struct icmp_error *icmp = (void *)(ip + 1);
	struct ipv6hdr *about = (void *)(icmp + 1);
	__be16 *ports = (void *)(about + 1);
	// Errors are below 128 (RFC 4443, section 2.1).
	if ((void *)(ports + 2) > end || icmp->type >= 128 || about->nexthdr != PROTO_TCP)
		return ICMP;
	flow6(&flow, about, ports, 1);
	int result = owner(ctx, &flow, sizeof(flow.ipv6), NULL, 0, NULL);
	return result == FLOW ? ICMP : result;
}

// Sends the packet on, wrapped as it came but for the addresses: from this node,
// to the second one, which is to ask nobody after it.
INLINE int send_on(struct xdp_md *ctx, const struct outer *o, const struct addr *second, const struct node *to)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip4 = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	if (o->version == 4) {
		struct chain4 *chain = (void *)(ip4 + 1) + sizeof(struct udphdr) + sizeof(struct gue);
		if ((void *)(chain + 1) > end || ip4->ttl <= 1)
			return HOPS;
		ip4->ttl--;
		ip4->saddr = ip4->daddr, ip4->daddr = second->word[3];
		ip4->check = 0;
		ip4->check = sum_ip4(ip4);
		chain->left = 0, chain->second = 0;
	} else {
		// The end of a chain6 and that of a chain_option are alike.
		struct chain6 *chain = (void *)(ip6 + 1) + sizeof(struct udphdr) + sizeof(struct gue);
		if (o->proto == IPPROTO_DSTOPTS)
			chain = (void *)(ip6 + 1) + sizeof(struct chain_option) - sizeof(*chain);
		if ((void *)(chain + 1) > end || ip6->hop_limit <= 1)
			return HOPS;
		ip6->hop_limit--;
		ip6->saddr = ip6->daddr;
		__builtin_memcpy(&ip6->daddr, second, sizeof(*second));
		chain->left = 0;
		__builtin_memset(chain->second, 0, sizeof(chain->second));
	}
	__u8 back[ETH_ALEN];
	__builtin_memcpy(back, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, to->ifindex ? to->source : eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, to->ifindex ? to->mac : back, ETH_ALEN);
	return CHAINED;
}

// Takes the outer headers off and hands the packet to the kernel.
INLINE int deliver(struct xdp_md *ctx, const struct outer *o)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ethhdr *moved = (void *)eth + o->size;
	if ((void *)(eth + 1) > end || (void *)(moved + 1) > end)
		return XDP_DROP;
	__u8 macs[2 * ETH_ALEN];
	__builtin_memcpy(macs, eth, sizeof(macs));
	__builtin_memcpy(moved, macs, sizeof(macs));
	moved->h_proto = o->inner == PROTO_IPIP ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return bpf_xdp_adjust_head(ctx, o->size) ? XDP_DROP : XDP_PASS;
}

// Whether a node may send what it sent: an l4 node anything, an l7 node only what
// it was asked first and we are asked last.
INLINE int may_send(const struct node *n, const struct outer *o)
{
	if (n->roles & IS_L4)
		return 1;
	return (n->roles & IS_L7) && !is_packet(o->proto) && o->left == 0;
}

// Answers a SYN in the kernel's place, where too many come. 0: it is the kernel's.
//
// The answer goes back to the router that the SYN came by, which knows the way to
// clients. An l4 node on the same link, whose packets no router has touched, does not.
INLINE int answer(struct xdp_md *ctx, const struct outer *o)
{
	__u32 zero = 0;
	struct settings *s = bpf_map_lookup_elem(&settings, &zero);
	if (!s || o->hops >= TTL || !is_hot(s))
		return 0;
	return o->inner == PROTO_IPIP ? answer4(ctx, o->size, s->mss4) : answer6(ctx, o->size, s->mss6);
}

SEC("xdp")
int portico_decap(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *at = eth + 1;
	struct outer o = {};
	struct ends e = {};
	if (at > end || !read_ip(at, end, eth->h_proto, &o, &e))
		return XDP_PASS;
	struct node *self = bpf_map_lookup_elem(&nodes, &e.dst);
	if (!self || !(self->roles & IS_SELF))
		return XDP_PASS;
	struct node *from = bpf_map_lookup_elem(&nodes, &e.src);
	if (!from || !(from->roles & (IS_L4 | IS_L7))) {
		count(STRANGER);
		return XDP_PASS;
	}
	int result = MALFORMED;
	if (read_wrapping(at, end, &o, &e) && may_send(from, &o) && o.size + o.length <= end - at) {
		if (o.inner == PROTO_IPIP)
			result = inside4(ctx, at + o.size, end, o.length);
		else if (o.inner == PROTO_IPV6)
			result = inside6(ctx, at + o.size, end, o.length);
	}
	struct node *second = NULL;
	if (result == LAST && o.left && !is_zero(&e.second))
		second = bpf_map_lookup_elem(&nodes, &e.second);
	// A secondary that is no node of the site, or this one, is nobody to ask.
	if (second && (second->roles & IS_L7) && !(second->roles & IS_SELF)) {
		result = send_on(ctx, &o, &e.second, second);
		count(result);
		if (result != CHAINED)
			return XDP_DROP;
		if (second->ifindex && second->ifindex != ctx->ingress_ifindex)
			return bpf_redirect(second->ifindex, 0);
		return XDP_TX;
	}
	int answered = result == SYN ? answer(ctx, &o) : 0;
	if (answered) {
		count(answered == XDP_TX ? ANSWERED : MALFORMED);
		return answered;
	}
	count(result);
	return result >= MALFORMED ? XDP_DROP : deliver(ctx, &o);
}
