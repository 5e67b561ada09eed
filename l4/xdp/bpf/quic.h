/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QUIC packets by the server id in their connection id (draft-ietf-quic-load-balancers,
 * section 4.1, the id in plain text): a client that changes its address stays with its target.
 */
#pragma once

#include "flow.h"

#define QUIC_LONG 0x80 /* RFC 9000, section 17.2 */
#define QUIC_TYPE 0x30
#define QUIC_HANDSHAKE 0x20
#define QUIC_V1 1
#define QUIC_AT_MASK 0x1f

struct quic_long {
	__u8 first;
	__u8 version[4];
	__u8 id_length;
};

/*
 * quic_target is the target that a connection id names, or NULL. Only packets that
 * carry an id of the server's making are asked: short headers and handshakes; an
 * Initial may carry whatever its client drew.
 */
INLINE struct target *quic_target(struct xdp_md *ctx, const struct packet *p, const struct vip *vip, struct choice *c)
{
	struct quic_long *head = at(ctx, p->l4 + sizeof(struct udphdr), L4_MASK);
	struct quic_key key = {.listener = vip->listener};
	__u8 *id;
	__u32 *target;

	if ((void *)(head + 1) > end(ctx))
		return NULL;
	id = (void *)head + 1;
	if (head->first & QUIC_LONG) {
		if ((head->first & QUIC_TYPE) != QUIC_HANDSHAKE || head->version[3] != QUIC_V1 || head->version[0] | head->version[1] | head->version[2])
			return NULL;
		id = (void *)(head + 1);
		if (head->id_length < vip->quic_at + sizeof(key.server))
			return NULL;
	}
	id += vip->quic_at & QUIC_AT_MASK;
	if ((void *)(id + sizeof(key.server)) > end(ctx))
		return NULL;
	__builtin_memcpy(&key.server, id, sizeof(key.server));
	target = bpf_map_lookup_elem(&quic_ids, &key);
	if (!target)
		return NULL;
	*c = (struct choice){.id = *target, .target = slot_owner(*target)};
	return c->target;
}
