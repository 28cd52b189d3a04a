/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the guard running: a router (relay/router.h) between the links of the
 * sections [client.NAME] and [device.NAME], of which it has the end that no VM
 * has. The same code runs in the guard's protection domain on seL4; this is what
 * it takes in a process.
 *
 * Each link's doorbell is waited for by a thread of its own, so that the scheduler
 * has a place for each and none follows another VM's; one of them works at a time, in
 * turn with the hub's loop, and does a bounded piece each time. A VM is trusted with
 * nothing: it may write anything into its link's memory, ring without pause and do to
 * the doorbells what it likes.
 */
#ifndef UR_KEEPER_H
#define UR_KEEPER_H

#include "config.h"
#include "damper.h"
#include "journal.h"
#include "loop.h"
#include "router.h"
#include "rules.h"
#include "server.h"

struct ur_keeper;

/* Our end of one VM's link. */
struct ur_keeper_port {
	struct ur_keeper *keeper;
	struct ur_server *server; /* the caller's, outlives us; NULL: not open */
	struct ur_link link;
	struct ur_loop loop; /* of thread; waits for nothing but the doorbell */
	pthread_t thread;
	bool has_thread;
	struct ur_source bell; /* fd UR_LOOP_NONE: not heard until the tick */
	struct ur_damper damper;
};

struct ur_keeper {
	struct ur_loop *loop; /* the hub's */
	struct ur_worker worker; /* of all loops */
	struct ur_source tick;
	struct ur_rules rules;
	struct ur_journal journal;
	struct ur_keeper_port ports[UR_CONFIG_LINKS_MAX];
	unsigned int port_count;
	struct ur_site clients[UR_ROUTER_SITES_MAX];
	struct ur_site devices[UR_ROUTER_SITES_MAX];
	struct ur_call *calls;
	u8 *buffers;
	struct ur_router router;
	bool is_awake; /* there may be something to move */
	bool is_deaf; /* a thread could not go on */
};

/*
 * Start the guard of this configuration; servers[i] is open and belongs to
 * links[i]. *keeper is all zero. 0, or -1 with log lines; then nothing is left
 * behind.
 */
int ur_keeper_open(struct ur_keeper *keeper, const struct ur_config *config,
		   struct ur_server *servers, struct ur_loop *loop);

/* One log line for each reason for which something was refused, with the times. */
void ur_keeper_report(const struct ur_keeper *keeper);

/*
 * End the threads, say at every link that we go, end what was under way, write it
 * down. Without the turn. 0, or -1 if a thread had ended before, with a log line.
 */
int ur_keeper_close(struct ur_keeper *keeper);

#endif
