// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- configuration ------------------------------------------------------- */

/* One processor: the peer cannot run while we look. */
static u32 default_spin_us(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1)
		return 0;
	return UR_SPIN_DEFAULT_US;
}

struct ur_file_link_config ur_file_link_config(enum ur_end end, const char *path)
{
	return (struct ur_file_link_config){
		.end = end,
		.path = path,
		.fd = -1,
		.first_generation = 1,
		.ring_fd = -1,
		.wait_fd = -1,
		.spin_us = default_spin_us(),
		.linger_ms = UR_LINGER_DEFAULT_MS,
	};
}

int ur_file_link_memfd(u64 region_bytes)
{
	int fd = memfd_create("usbroute", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)region_bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* ---- open, close --------------------------------------------------------- */

static int choose_geometry(struct ur_geometry *g, u32 outbox_bytes,
			   const struct ur_file_link_config *c, char *why)
{
	struct ur_fault fault;

	if (ur_geometry_init(g, outbox_bytes, c->channels, c->ring_bytes,
			     &fault) < 0) {
		snprintf(why, UR_WHY_BYTES,
			 "%u channels with rings of %u bytes in an outbox of %u bytes: %u cannot be, %u could",
			 c->channels ? c->channels : UR_CHANNELS_DEFAULT,
			 c->ring_bytes, outbox_bytes, fault.got, fault.want);
		return -EINVAL;
	}
	g->first_index = c->first_index;
	g->first_generation = c->first_generation;
	return 0;
}

static void init_locks(struct ur_file_link *l)
{
	u32 i;

	pthread_mutex_init(&l->lock, NULL);
	for (i = 0; i < UR_CHANNELS_MAX; i++) {
		pthread_mutex_init(&l->copying[UR_SENDING][i], NULL);
		pthread_mutex_init(&l->copying[UR_RECEIVING][i], NULL);
	}
}

static void destroy_locks(struct ur_file_link *l)
{
	u32 i;

	pthread_mutex_destroy(&l->lock);
	for (i = 0; i < UR_CHANNELS_MAX; i++) {
		pthread_mutex_destroy(&l->copying[UR_SENDING][i]);
		pthread_mutex_destroy(&l->copying[UR_RECEIVING][i]);
	}
}

static void start(struct ur_file_link *l, const struct ur_geometry *g)
{
	ur_wait_lock(l);
	ur_link_start(&l->core, g, l->region.end, l->region.own,
		      l->region.peer);
	ur_wait_look(l);
	ur_wait_unlock(l);
}

/* With the region open: 0, or *why. */
static int open_rest(struct ur_file_link *l, const struct ur_file_link_config *c,
		     char *why)
{
	struct ur_geometry g;
	int error = choose_geometry(&g, l->region.outbox_bytes, c, why);

	if (error < 0)
		return error;
	error = ur_bell_open(&l->bell, l->region.own, l->region.peer,
			     c->ring_fd, c->wait_fd);
	if (error < 0) {
		snprintf(why, UR_WHY_BYTES,
			 "cannot use eventfds %d and %d as doorbells: %s",
			 c->ring_fd, c->wait_fd, strerror(-error));
		return error;
	}
	l->bell.loss_percent = c->bell_loss_percent;
	l->ring_bytes = g.ring_bytes;
	l->spin_ns = (c->spin_us < UR_SPIN_MAX_US ?
		      c->spin_us : UR_SPIN_MAX_US) * 1000;
	l->interruptible = c->interruptible;
	l->linger_ms = c->linger_ms;
	init_locks(l);
	start(l, &g);
	return 0;
}

int ur_file_link_open(const struct ur_file_link_config *config,
		      struct ur_file_link **link, char why[UR_WHY_BYTES])
{
	struct ur_file_link *l = calloc(1, sizeof(*l));
	int error;

	if (!l) {
		snprintf(why, UR_WHY_BYTES, "no memory for a link");
		return -ENOMEM;
	}
	error = ur_region_open(&l->region, config, why);
	if (error == 0) {
		error = open_rest(l, config, why);
		if (error == 0) {
			*link = l;
			return 0;
		}
		ur_region_close(&l->region);
	}
	free(l);
	return error;
}

void ur_file_link_stop(struct ur_file_link *l)
{
	ur_wait_lock(l);
	if (!l->stopped) {
		l->stopped = true;
		ur_link_stop(&l->core);
		l->kick = true;
	}
	ur_wait_unlock(l);
}

/* Has the peer closed every channel that we closed? */
static bool is_farewell_over(struct ur_file_link *l, const struct ur_wait *w)
{
	const struct ur_link *core = &l->core;
	u32 c;

	(void)w;
	for (c = 0; c < core->geometry.channels && core->state == UR_LINK_UP; c++)
		if (core->channels[c].own == UR_CHANNEL_CLOSED &&
		    core->channels[c].peer != UR_CHANNEL_IDLE &&
		    core->channels[c].peer < UR_CHANNEL_CLOSED)
			return false;
	return true;
}

static void linger(struct ur_file_link *l)
{
	struct ur_wait farewell = { is_farewell_over, 0 };
	int n;

	farewell.deadline = ur_wait_deadline(l->linger_ms);
	ur_wait_lock(l);
	do {
		n = ur_wait_until(l, &farewell);
	} while (n == -EINTR);
	ur_wait_unlock(l);
}

void ur_file_link_close(struct ur_file_link *l)
{
	while (l->streams)
		ur_stream_close(l->streams, false);
	linger(l);
	ur_file_link_stop(l);
	ur_bell_close(&l->bell);
	ur_region_close(&l->region);
	destroy_locks(l);
	free(l);
}

int ur_file_link_restart(struct ur_file_link *l)
{
	struct ur_geometry g;
	int n = 0;

	ur_wait_lock(l);
	g = l->core.geometry;
	if (l->stopped)
		n = -ESHUTDOWN;
	else
		ur_link_start(&l->core, &g, l->region.end, l->region.own,
			      l->region.peer);
	l->changes++;
	l->state_changes++;
	l->kick = true;
	ur_wait_look(l);
	ur_wait_unlock(l);
	return n;
}

void ur_file_link_look(struct ur_file_link *l)
{
	ur_wait_lock(l);
	ur_wait_look(l);
	ur_wait_unlock(l);
}

/* ---- info ---------------------------------------------------------------- */

static void describe_fault(const struct ur_fault *f, char *text)
{
	const char *name = ur_fault_name(f->number);

	if (f->number == UR_FAULT_SEVERED)
		snprintf(text, UR_WHY_BYTES, "broken: the peer severed the link: %s",
			 ur_fault_name(f->got));
	else if (f->number == UR_FAULT_PRODUCED ||
		 f->number == UR_FAULT_CONSUMED)
		snprintf(text, UR_WHY_BYTES,
			 "broken: %s of channel %u: got %u, at most %u is possible",
			 name, f->channel, f->got, f->want);
	else if (f->number == UR_FAULT_STATE || f->number == UR_FAULT_MOVE)
		snprintf(text, UR_WHY_BYTES,
			 "broken: %s of channel %u: got word 0x%x after 0x%x",
			 name, f->channel, f->got, f->want);
	else
		snprintf(text, UR_WHY_BYTES,
			 "broken: %s: the peer has %u (0x%x), expected %u (0x%x)",
			 name, f->got, f->got, f->want, f->want);
}

static void describe(const struct ur_file_link *l, char *text)
{
	const struct ur_link *core = &l->core;

	if (l->stopped)
		snprintf(text, UR_WHY_BYTES, "stopped");
	else if (core->state == UR_LINK_BROKEN)
		describe_fault(&core->fault, text);
	else if (core->state == UR_LINK_UP)
		snprintf(text, UR_WHY_BYTES, "up: epoch %u, the peer's %u",
			 core->epoch, core->peer_epoch);
	else if (core->peer_epoch)
		snprintf(text, UR_WHY_BYTES,
			 "down: epoch %u waits to be acknowledged by the peer's %u",
			 core->epoch, core->peer_epoch);
	else
		snprintf(text, UR_WHY_BYTES, "down: nobody is at end %c",
			 core->end == UR_END_A ? 'B' : 'A');
}

static u32 count_open(const struct ur_link *core)
{
	u32 c, open = 0;

	for (c = 0; c < core->geometry.channels; c++)
		open += core->channels[c].life != 0;
	return open;
}

void ur_file_link_info(struct ur_file_link *l, struct ur_file_link_info *info)
{
	const struct ur_link *core = &l->core;

	ur_wait_lock(l);
	*info = (struct ur_file_link_info){
		.state = core->state,
		.geometry = core->geometry,
		.end = core->end,
		.epoch = core->epoch,
		.peer_epoch = core->peer_epoch,
		.channels_open = count_open(core),
		.fault = core->fault,
		.peer_fault = ur_load_once(&core->peer->fault),
		.counters = core->counters,
		.doorbells_sent = l->bell.sent,
		.doorbells_received = l->bell.received,
		.doorbells_lost = l->bell.lost,
		.naps = l->bell.naps,
		.burials = l->burials,
	};
	describe(l, info->text);
	l->told_changes = l->state_changes;
	ur_wait_unlock(l);
}
