/* SPDX-License-Identifier: GPL-2.0 */
/* Counters, one of each per core. */
#pragma once

#include "maps.h"

/* What happened to a packet. Go has a name for each (event.go); a test compares. */
enum event {
	EVENT_NONE,
	/* what was done on the way */
	EVENT_MISSED, /* the flow was not in the flow table */
	EVENT_LEARNED, /* it was put there */
	EVENT_UNLEARNED, /* it was not, for too many came at once or there was no room */
	EVENT_MOVED, /* its target is gone, so another was taken */
	EVENT_QUIC, /* placed by its connection id */
	EVENT_FRAGMENT, /* a fragment was placed */
	EVENT_OPTIONS, /* it had IPv4 options or IPv6 extension headers */
	EVENT_VLAN, /* it had a VLAN tag */
	EVENT_ERROR, /* an ICMP error was delivered to the target of its flow */
	EVENT_ECHO, /* an echo request to a VIP was answered */
	EVENT_TOO_BIG, /* the client was told to send less at once */
	EVENT_BACK, /* a packet of a target went back to its client */
	/* why it was dropped */
	DROP_MALFORMED, /* its lengths lie, or headers are cut off */
	DROP_NO_TABLE, /* the listener has no table */
	DROP_NO_TARGET, /* the slot names no target */
	DROP_NO_SOURCE, /* no address of our own of the family for the outer header */
	DROP_MODE, /* the target's family does not go with the mode */
	DROP_TOO_BIG, /* it would not fit into the way to the target */
	DROP_TTL, /* it went through too many routers */
	DROP_FRAGMENT, /* a fragment without its first, or under NAT */
	DROP_NAT_FULL, /* no port was free */
	DROP_NAT_LIMITED, /* too many new flows at once */
	DROP_ERROR, /* an ICMP error about no flow of ours */
	DROP_ROUTE, /* a route of the kernel forbids the way to the target */
	DROP_HEADROOM, /* the driver leaves no room for a header */
	EVENTS
};

/* Events of a listener lie side by side; 0 is what belongs to none. */
#define EVENTS_SHIFT 5
_Static_assert(EVENTS <= 1 << EVENTS_SHIFT, "events need a wider shift");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} events SEC(".maps");

struct traffic {
	__u64 packets;
	__u64 bytes; /* from the IP header on, as the client sent them */
	__u64 flows; /* learned */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} listener_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} target_traffic SEC(".maps");

INLINE void count(__u32 listener, enum event event)
{
	__u32 at = listener << EVENTS_SHIFT | event;
	__u64 *n = bpf_map_lookup_elem(&events, &at);

	if (n)
		(*n)++;
}

INLINE int drop(__u32 listener, enum event why)
{
	count(listener, why);
	return XDP_DROP;
}

INLINE void count_traffic(__u32 listener, __u32 target, __u32 bytes)
{
	struct traffic *t = bpf_map_lookup_elem(&listener_traffic, &listener);

	if (t) {
		t->packets++;
		t->bytes += bytes;
	}
	t = bpf_map_lookup_elem(&target_traffic, &target);
	if (t) {
		t->packets++;
		t->bytes += bytes;
	}
}

INLINE void count_flow(__u32 listener, __u32 target)
{
	struct traffic *t = bpf_map_lookup_elem(&listener_traffic, &listener);

	if (t)
		t->flows++;
	t = bpf_map_lookup_elem(&target_traffic, &target);
	if (t)
		t->flows++;
	count(listener, EVENT_LEARNED);
}
