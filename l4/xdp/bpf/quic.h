/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QUIC packets by the server id in their connection id (draft-ietf-quic-load-balancers,
 * sections 3 and 4, ids in plain text): a client that changes its address stays with
 * its target. l4.QUICServer in Go is the same, and both pass the cases of l4/flowtest.
 *
 *   config (3 bits), whatever (5) | server id | nonce
 */
#pragma once

#include "flow.h"

#define QUIC_LONG 0x80 /* RFC 9000, section 17.2 */
#define QUIC_TYPE 0x30
#define QUIC_HANDSHAKE 0x20
#define QUIC_V1 1
#define QUIC_CONFIG 0xe0 /* all of them set: the id names nobody */
#define QUIC_NONCE_MIN 4

struct quic_id {
	__u8 config;
	__u8 server[QUIC_BYTES];
};

struct quic_long {
	__u8 first;
	__u8 version[4];
	__u8 id_length;
};

/*
 * quic_id finds the connection id of a packet. Only packets that carry one of the
 * server's making are asked: short headers and handshakes; an Initial may carry
 * whatever its client drew. The least packet there is has QUIC_BYTES to look at.
 */
INLINE struct quic_id *quic_id(struct xdp_md *ctx, const struct packet *p, __u8 bytes)
{
	struct quic_long *head = at(ctx, p->l4 + sizeof(struct udphdr), L4_MASK);
	struct quic_id *id = (void *)head + 1;

	if ((void *)(head + 1) > end(ctx))
		return NULL;
	if (head->first & QUIC_LONG) {
		if ((head->first & QUIC_TYPE) != QUIC_HANDSHAKE || head->version[3] != QUIC_V1 || head->version[0] | head->version[1] | head->version[2])
			return NULL;
		if (head->id_length < 1 + bytes + QUIC_NONCE_MIN)
			return NULL;
		id = (void *)(head + 1);
	}
	if ((void *)(id + 1) > end(ctx) || (id->config & QUIC_CONFIG) == QUIC_CONFIG)
		return NULL;
	return id;
}

/* quic_target is the id of the target that a packet's connection id names, or 0. */
static __noinline __u32 quic_target(struct xdp_md *ctx, const struct packet *p, const struct vip *vip)
{
	struct quic_key key = {};
	struct quic_id *id;
	__u32 *target;

	if (!p || !vip || !(vip->flags & VIP_QUIC) || p->proto != PROTO_UDP || p->flags & PACKET_FIRST)
		return 0;
	id = quic_id(ctx, p, vip->quic_bytes);
	if (!id)
		return 0;
	key.listener = vip->listener;
#pragma unroll
	for (int i = 0; i < QUIC_BYTES; i++) {
		if (i < vip->quic_bytes)
			key.server[i] = id->server[i];
	}
	target = bpf_map_lookup_elem(&quic_ids, &key);
	if (!target || !slot_owner(*target))
		return 0;
	count(vip->listener, EVENT_QUIC);
	return *target;
}
