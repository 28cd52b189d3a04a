/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the guard running: a router (relay/router.h) between the links of the
 * sections [client.NAME] and [device.NAME], of which it has the end that no VM
 * has. The same code runs in the guard's protection domain on seL4; this is what
 * it takes in a process.
 *
 * One thread, the loop's, and a bounded piece of work each time. A VM is trusted
 * with nothing: it may write anything into its link's memory, ring without pause
 * and do to the doorbells what it likes.
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
	struct ur_server *server; /* the caller's, outlives us */
	struct ur_link link;
	struct ur_source bell; /* fd UR_LOOP_NONE: not heard until the tick */
	struct ur_damper damper;
};

struct ur_keeper {
	struct ur_loop *loop;
	struct ur_worker worker;
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

/* Say at every link that we go, end what was under way, write it down. */
void ur_keeper_close(struct ur_keeper *keeper);

#endif
