/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every program here knows of packets: headers that the kernel's headers
 * lack, the hash of a flow, and checksums. Nothing here looks at a packet itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define INLINE static __always_inline

/* Families, as the maps write them. */
#define FAMILY4 4
#define FAMILY6 6

/* uapi/linux/in.h has these as an enum, but not all of them. */
#define PROTO_IPIP 4
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_IPV6 41
#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

/* IPv4 fragments (RFC 791, section 3.1), in host order. */
#define IP4_DF 0x4000
#define IP4_MF 0x2000
#define IP4_OFFSET 0x1fff

/*
 * Generic UDP Encapsulation, version 0 (draft-ietf-intarea-gue, section 3),
 * with private data: the target to ask second.
 *
 *   UDP | struct gue | struct chain4 or chain6 | IPv4 or IPv6 packet
 */
#define GUE_PORT 6080
#define GUE_HLEN4 2 /* words of private data with a chain4; version and C bit are 0 */
#define GUE_HLEN6 5
#define GUE_HLEN 0x1f /* the bits of first that are the length */

struct gue {
	__u8 first; /* version (2 bits), control (1), length of private data in words (5) */
	__u8 inner; /* PROTO_IPIP or PROTO_IPV6 */
	__be16 flags;
};

#define CHAIN4 1 /* types of private data: by the family of the outer header */
#define CHAIN6 2

struct chain4 {
	__u8 type; /* CHAIN4 */
	__u8 left; /* second chances left: 1 from a balancer, 0 from a target */
	__u16 zero;
	__be32 second; /* the target to ask second; 0 means none */
};

struct chain6 {
	__u8 type; /* CHAIN6 */
	__u8 left;
	__u16 zero;
	__be32 second[4];
};

/*
 * The same within IPv6: a Destination Options header (RFC 8200, section 4.6) of
 * one option that is skipped by who does not know it (RFC 4727, section 3.5).
 *
 *   IPv6 | struct chain_option | IPv4 or IPv6 packet
 */
#define OPTION_CHAIN 0x1e
#define OPTION_CHAIN_LEN 20
#define OPTION_CHAIN_HDRLEN 2 /* in 8 bytes, the first 8 not counted */

struct chain_option {
	__u8 next; /* PROTO_IPIP or PROTO_IPV6 */
	__u8 hdrlen; /* OPTION_CHAIN_HDRLEN */
	__u8 option; /* OPTION_CHAIN */
	__u8 optlen; /* OPTION_CHAIN_LEN */
	__u8 version; /* 1 */
	__u8 left; /* as in chain4 */
	__u16 zero;
	__be32 second[4]; /* all 0 means none */
};

/* Flows hash to 0..2^32-1 and tables have this many slots, a prime. */
#define SLOTS 65537
/* A slot holds the id of its target, and above it that of the one to ask second. */
#define SLOT_TARGET(slot) ((slot) & 0xffff)
#define SLOT_SECOND(slot) ((slot) >> 16)

INLINE __u32 rol(__u32 x, int bits)
{
	return (x << bits) | (x >> (32 - bits));
}

/* The last step of Bob Jenkins' lookup3. */
INLINE __u32 mix3(__u32 a, __u32 b, __u32 c)
{
	c ^= b; c -= rol(b, 14);
	a ^= c; a -= rol(c, 11);
	b ^= a; b -= rol(a, 25);
	c ^= b; c -= rol(b, 16);
	a ^= c; a -= rol(c, 4);
	b ^= a; b -= rol(a, 14);
	c ^= b; c -= rol(b, 24);
	return c;
}

/*
 * The hash of a flow: l4.Tuple.Hash in Go is the same, and tests compare them.
 * Addresses and ports are taken as they lie in the packet, as little-endian words.
 */
INLINE __u32 hash4(__be32 src, __be32 dst, __be16 sport, __be16 dport, __u8 proto)
{
	return mix3(src ^ 0xdeadbeef, dst ^ (sport | (__u32)dport << 16), proto + 0x9e3779b9);
}

INLINE __u32 hash6(const __be32 *src, const __be32 *dst, __be16 sport, __be16 dport, __u8 proto)
{
	__u32 h = mix3(src[0] ^ src[1] ^ 0xdeadbeef, src[2] ^ (sport | (__u32)dport << 16), src[3] + 0x9e3779b9);

	return mix3(h, dst[0] ^ rol(dst[1], 8) ^ rol(dst[2], 16) ^ dst[3], proto);
}

INLINE __u32 slot_of(__u32 hash)
{
	return (__u64)hash * SLOTS >> 32;
}

/* Checksums (RFC 1071), all in network order as they lie in the packet. */

INLINE __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* sum_replace2 is a checksum after a 16 bit word changed (RFC 1624, eqn. 3). */
INLINE __u16 sum_replace2(__u16 sum, __u16 from, __u16 to)
{
	return ~fold((__u16)~sum + (__u16)~from + to);
}

INLINE __u16 sum_replace4(__u16 sum, __u32 from, __u32 to)
{
	return ~fold((__u16)~sum + (__u16)~(from & 0xffff) + (__u16)~(from >> 16) + (to & 0xffff) + (to >> 16));
}

INLINE __u16 sum_replace16(__u16 sum, const __u32 *from, const __u32 *to)
{
#pragma unroll
	for (int i = 0; i < 4; i++)
		sum = sum_replace4(sum, from[i], to[i]);
	return sum;
}

/* sum_ip4 is the checksum of a header without options, its own field being 0. */
INLINE __u16 sum_ip4(const struct iphdr *ip)
{
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	return ~fold(sum);
}
