/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the balancer and the Go that feeds it share. Every struct is laid out
 * without holes; a change of any of them is a new LAYOUT in load_linux.go.
 * Sizes of maps are the loader's to set; those here are the least.
 */
#pragma once

#include "packet.h"

/* What a VIP's port is served by. Key and value are written by Go alone. */
struct vip_key {
	__be32 addr[4]; /* IPv4 in the first word, the others 0 */
	__be16 port; /* 0 with PROTO_ICMP or PROTO_ICMPV6: the address as such */
	__u8 proto;
	__u8 family;
};

enum mode {
	MODE_GUE = 1,
	MODE_IP6IP6,
	MODE_IPIP,
	MODE_NAT,
	MODE_DSR,
};

#define VIP_BY_SOURCE 1 /* ports are left out of the hash */
#define VIP_FORGETS 2 /* the flow table is left alone: by hash only */
#define VIP_QUIC 4 /* connection ids name targets; see quic.h */

struct vip {
	__u16 listener; /* number of its table and counters, from 1 */
	__u8 mode;
	__u8 flags;
	__u8 quic_bytes; /* of a server id, at most QUIC_BYTES */
	__u8 zero[3];
};

/* A target by its id. Family 0 means that there is none. */
struct target {
	__be32 addr[4];
	__u8 mac[6]; /* for MODE_DSR */
	__be16 port; /* for MODE_NAT */
	__u32 ifindex; /* for MODE_DSR; 0 is where the packet came from */
	__u16 epoch; /* rises when the id is given to another target */
	__u8 family;
	__u8 zero;
};

struct tuple4 {
	__be32 src, dst;
	__be16 sport, dport;
	__u8 proto, zero[3];
};

struct tuple6 {
	__be32 src[4], dst[4];
	__be16 sport, dport;
	__u8 proto, zero[3];
};

/* Where a flow is, as long as the ids still mean what they did. */
struct flow {
	__u32 slot;
	__u16 epoch; /* of the target */
	__u16 second_epoch;
};

/* A flow under NAT, by the tuple of the client's packets. */
struct nat {
	__be32 target[4];
	__be32 source[4]; /* this node's address that the target sees */
	__be16 tport, sport;
	__u16 id, epoch; /* of the target */
};

/* The same, by the tuple of the target's packets. */
struct back {
	__be32 client[4];
	__be32 vip[4];
	__be16 cport, vport;
	__u16 listener, id;
};

/* The packet whose first fragment was seen, for those that carry no ports. */
struct fragment_key {
	__be32 src[4], dst[4];
	__be32 id;
	__u8 proto, family, zero[2];
};

struct fragment {
	struct flow flow;
	struct vip vip;
};

#define QUIC_BYTES 8

struct quic_key {
	__u8 server[QUIC_BYTES]; /* what is beyond the listener's quic_bytes is 0 */
	__u16 listener;
	__u16 zero;
};

#define NAT_ADDRESSES 4
#define UPLINKS 8

/* An interface to send by. Index 0 means that there is none. */
struct uplink {
	__u32 ifindex;
	__u8 mac[6];
	__u16 zero;
};

struct config {
	__be32 source4; /* of outer headers; 0 when the node has none */
	__be32 source6[4];
	__be32 nat4[NAT_ADDRESSES];
	__be32 nat6[NAT_ADDRESSES][4];
	__u32 learn_cost; /* ns that one more flow costs a core; 0 means no bound */
	__u16 nat4s, nat6s; /* how many of them there are */
	__u16 nat_port, nat_ports; /* the first port and how many */
	__u16 mtu; /* of the way to targets; 0 means unknown */
	__u16 zero;
	struct uplink uplinks[UPLINKS]; /* where there are several */
};

struct table {
	__u32 slots[SLOTS];
	__u32 spare; /* the verifier rounds the largest slot up */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct vip_key);
	__type(value, struct vip);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target);
} targets SEC(".maps");

/* One value is a whole table, so that it is written in one call. */
struct table_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct table));
};

/* By listener. A table is changed by putting another in its place, all at once. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct table_map);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple4);
	__type(value, struct flow);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple6);
	__type(value, struct flow);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple4);
	__type(value, struct nat);
} nats4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple6);
	__type(value, struct nat);
} nats6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple4);
	__type(value, struct back);
} backs4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple6);
	__type(value, struct back);
} backs6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct quic_key);
	__type(value, __u32);
} quic_ids SEC(".maps");

/* When this core may learn its next flow, in ns of the coarse clock. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} learning SEC(".maps");

/* Entry 0 sees what is not the balancer's: the decapsulator of a node that is both. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");
