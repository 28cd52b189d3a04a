// SPDX-License-Identifier: BSD-2-Clause
/*
 * Asleep until a doorbell or the tick, then
 *
 *	look at every link, turn, ring, write down	while anything moves, but a
 *							few times at most: then the
 *							loop looks at its sockets
 *	arm	the VMs shall ring from now on
 *	sleep	a doorbell since then ends it at once
 *
 * Our doorbells are watched for edges and never read: a VM holds them too, and
 * could make a read wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "keeper.h"
#include "log.h"
#include "urgency.h"

#define TICK_NS 100000000l
#define TURNS 4

/* Work */

static void ring(struct ur_keeper *keeper)
{
	for (unsigned int i = 0; i < keeper->port_count; i++)
		if (ur_link_take_bell(&keeper->ports[i].link))
			ur_server_ring(keeper->ports[i].server);
}

/* Whether to go on. */
static bool turn(struct ur_keeper *keeper)
{
	bool moved;

	ur_router_look(&keeper->router);
	moved = ur_router_turn(&keeper->router) ||
		!ur_router_arm(&keeper->router);
	/* A decision is on file before anybody is woken by what came of it. */
	ur_journal_drain(&keeper->journal, &keeper->router.audit);
	ring(keeper);
	return moved;
}

static bool work(struct ur_worker *worker)
{
	struct ur_keeper *keeper =
		(void *)((u8 *)worker - offsetof(struct ur_keeper, worker));

	for (int i = 0; i < TURNS && keeper->is_awake; i++)
		keeper->is_awake = turn(keeper);
	return keeper->is_awake;
}

/* Events */

/* Of ours only: what a VM writes, epochs too, earns it nothing. */
static u64 work_of(const struct ur_link *link)
{
	const struct ur_counters *c = &link->counters;

	return c->publishes + c->releases + c->calls + c->accepts;
}

static void bell_ready(struct ur_source *bell)
{
	struct ur_keeper_port *port =
		(void *)((u8 *)bell - offsetof(struct ur_keeper_port, bell));

	port->keeper->is_awake = true;
	if (!ur_damper_hears(&port->damper, work_of(&port->link), ur_now_ms()))
		ur_loop_remove(&port->loop, bell);
}

static int hear(struct ur_keeper_port *port)
{
	return ur_loop_add_edge(&port->loop, &port->bell,
				ur_server_own_bell(port->server));
}

static void tick_ready(struct ur_source *tick)
{
	struct ur_keeper *keeper =
		(void *)((u8 *)tick - offsetof(struct ur_keeper, tick));
	u64 times;

	if (read(tick->fd, &times, sizeof(times)) != sizeof(times))
		return;
	ur_router_tick(&keeper->router);
	keeper->is_awake = true;
	for (unsigned int i = 0; i < keeper->port_count; i++)
		if (keeper->ports[i].bell.fd == UR_LOOP_NONE)
			(void)!hear(&keeper->ports[i]);
}

/* Start */

static int open_port(struct ur_keeper_port *port, struct ur_server *server,
		     u32 channels)
{
	const struct ur_memory *memory = &server->memory;
	u32 half = memory->bytes / 2;
	enum ur_end own = ur_server_own_end(server);
	u8 *base = memory->base;
	struct ur_geometry geometry;
	struct ur_fault fault;

	if (ur_geometry_init(&geometry, half, channels, 0, &fault)) {
		ur_log("%s: no rings of %u channels fit: got %u, expected %u",
		       server->ends[!own].label, channels, fault.got, fault.want);
		return -1;
	}
	if (ur_loop_open(&port->loop, port->keeper->loop->turn) < 0)
		return -1;
	port->loop.worker = &port->keeper->worker;
	port->server = server;
	port->bell = (struct ur_source){ UR_LOOP_NONE, bell_ready };
	ur_damper_init(&port->damper, ur_now_ms());
	ur_link_start(&port->link, &geometry, own, base + own * half,
		      base + !own * half);
	return hear(port);
}

static int open_ports(struct ur_keeper *keeper, const struct ur_config *config,
		      struct ur_server *servers)
{
	struct ur_site *next[UR_CONFIG_KINDS] = {
		[UR_CONFIG_CLIENT] = keeper->clients,
		[UR_CONFIG_DEVICE] = keeper->devices,
	};

	for (unsigned int i = 0; i < config->count; i++) {
		struct ur_keeper_port *port = &keeper->ports[keeper->port_count];

		if (config->links[i].kind == UR_CONFIG_LINK)
			continue;
		keeper->port_count++;
		port->keeper = keeper;
		if (open_port(port, &servers[i], config->links[i].channels) < 0)
			return -1;
		*next[config->links[i].kind]++ = (struct ur_site){
			config->links[i].name,
			&port->link,
		};
	}
	return 0;
}

static int open_router(struct ur_keeper *keeper, const struct ur_config *config)
{
	unsigned int clients = config->kinds[UR_CONFIG_CLIENT];
	u32 calls = config->guard.calls * clients;
	struct ur_router_config to = {
		.policy = &keeper->rules.policy,
		.limits = { config->guard.transfer_bytes, UR_ISO_PACKETS_DEFAULT },
		.clients = keeper->clients,
		.client_count = clients,
		.devices = keeper->devices,
		.device_count = config->kinds[UR_CONFIG_DEVICE],
		.call_count = calls,
	};

	to.buffer_bytes = UR_ROUTER_BUFFER_BYTES(calls, to.limits.transfer_bytes,
						 to.limits.iso_packets);
	/* Large enough for calloc to take fresh pages, which cost when used. */
	to.calls = keeper->calls = calloc(calls, sizeof(*keeper->calls));
	to.buffers = keeper->buffers = calloc(1, to.buffer_bytes);
	if (!to.calls || !to.buffers) {
		ur_log("guard: no memory for %u calls of %zu bytes", calls,
		       sizeof(*to.calls) + to.buffer_bytes / calls);
		return -1;
	}
	if (ur_router_init(&keeper->router, &to) == 0)
		return 0;
	ur_log("guard: the router refuses %u calls, %u clients, %u device VMs",
	       calls, clients, to.device_count);
	return -1;
}

static int open_tick(struct ur_keeper *keeper)
{
	const struct itimerspec every = {
		.it_interval.tv_nsec = TICK_NS,
		.it_value.tv_nsec = TICK_NS,
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0)
		ur_log("guard: cannot make a timer: %m");
	else if (ur_loop_add(keeper->loop, &keeper->tick, fd) == 0)
		return 0;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* One that fails takes the hub with it: nobody would hear that VM any more. */
static void *listen_to(void *argument)
{
	struct ur_keeper_port *port = argument;

	if (ur_loop_run(&port->loop) < 0) {
		port->keeper->is_deaf = true;
		ur_loop_stop(port->keeper->loop);
	}
	return NULL;
}

static int start_threads(struct ur_keeper *keeper)
{
	for (unsigned int i = 0; i < keeper->port_count; i++) {
		struct ur_keeper_port *port = &keeper->ports[i];

		errno = pthread_create(&port->thread, NULL, listen_to, port);
		if (errno) {
			ur_log("guard: cannot start a thread: %m");
			return -1;
		}
		port->has_thread = true;
	}
	return 0;
}

int ur_keeper_open(struct ur_keeper *keeper, const struct ur_config *config,
		   struct ur_server *servers, struct ur_loop *loop)
{
	keeper->loop = loop;
	keeper->tick = (struct ur_source){ UR_LOOP_NONE, tick_ready };
	keeper->journal.fd = -1;
	keeper->worker.work = work;
	keeper->is_awake = true;
	loop->worker = &keeper->worker;
	ur_urgency_take(config->guard.priority);
	if (ur_rules_load(&keeper->rules, config->guard.policy) == 0 &&
	    ur_journal_open(&keeper->journal, config->guard.audit) == 0 &&
	    open_ports(keeper, config, servers) == 0 &&
	    open_router(keeper, config) == 0 && open_tick(keeper) == 0 &&
	    start_threads(keeper) == 0)
		return 0;
	(void)ur_keeper_close(keeper);
	return -1;
}

/* Counters */

void ur_keeper_report(const struct ur_keeper *keeper)
{
	const struct ur_audit *audit = &keeper->router.audit;
	unsigned long long sum = 0;

	for (int i = 0; i < UR_REASONS; i++) {
		enum ur_reason reason = (enum ur_reason)i;

		sum += audit->refused[i];
		if (audit->refused[i] > 0)
			ur_log("guard: refused %llu times: %s (%s)",
			       (unsigned long long)audit->refused[i],
			       ur_reason_name(reason), ur_reason_text(reason));
	}
	ur_log("guard: refused %llu times in all, %llu records lost", sum,
	       (unsigned long long)(audit->lost + keeper->journal.left_out));
}

/* End */

static void stop_threads(struct ur_keeper *keeper)
{
	for (unsigned int i = 0; i < keeper->port_count; i++) {
		struct ur_keeper_port *port = &keeper->ports[i];

		if (!port->has_thread)
			continue;
		ur_loop_stop(&port->loop);
		pthread_join(port->thread, NULL);
	}
}

static void stop_ports(struct ur_keeper *keeper)
{
	for (unsigned int i = 0; i < keeper->port_count; i++) {
		struct ur_keeper_port *port = &keeper->ports[i];

		if (!port->server)
			continue;
		ur_loop_close(&port->loop);
		ur_link_stop(&port->link);
	}
	ring(keeper);
}

int ur_keeper_close(struct ur_keeper *keeper)
{
	int tick = keeper->tick.fd;

	stop_threads(keeper);
	keeper->loop->worker = NULL;
	ur_loop_remove(keeper->loop, &keeper->tick);
	if (tick != UR_LOOP_NONE)
		close(tick);
	stop_ports(keeper);
	if (keeper->router.config.calls) {
		/* Every channel has ended: so do the routes. */
		(void)!ur_router_turn(&keeper->router);
		ur_journal_drain(&keeper->journal, &keeper->router.audit);
		ur_keeper_report(keeper);
	}
	ur_journal_close(&keeper->journal);
	ur_rules_free(&keeper->rules);
	free(keeper->calls);
	free(keeper->buffers);
	return keeper->is_deaf ? -1 : 0;
}
