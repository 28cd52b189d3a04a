// SPDX-License-Identifier: BSD-2-Clause
/*
 * usbroute serve: answers the peer's requests until a signal comes, then gives
 * every device back. One thread; the only place to wait is the poll below.
 *
 *     signals ----\
 *     link --------> poll --> talks[0..15]: one per connection (answer.h)
 *     talks' fds -/
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "answer.h"
#include "clock.h"
#include "link.h"
#include "notify.h"
#include "say.h"

#define TALKS_MAX 16	/* at once; more calls wait in the link's queue */
#define BACKLOG 16
#define IDLE_MS 60000	/* nothing is due: any bound */
#define PAUSE_MS 1000	/* after a call that could not be taken */

enum { POLL_SIGNALS, POLL_LINK, POLL_TALKS, POLL_ALL = POLL_TALKS + TALKS_MAX };

struct serve {
	struct ur_link link;
	struct ur_exporter exporter;
	struct ur_talk talks[TALKS_MAX];
	struct pollfd polls[POLL_ALL];
	u64 pause_ms;		/* take no call before then */
	u32 timeout_ms;
	int signals;
	bool is_over;
	enum ur_exit exit;
};

/* Signals */

static enum ur_exit open_signals(struct serve *serve)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A log without a reader is an error of write(). */
	signal(SIGPIPE, SIG_IGN);
	serve->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (serve->signals >= 0)
		return UR_EXIT_OK;
	ur_say("cannot wait for signals: %m");
	return UR_EXIT_FAILED;
}

static void take_signal(struct serve *serve)
{
	struct signalfd_siginfo info;

	if (read(serve->signals, &info, sizeof(info)) != sizeof(info))
		return;
	ur_say("ends: signal %u from pid %u", info.ssi_signo, info.ssi_pid);
	serve->is_over = true;
}

/* Connections */

static struct ur_talk *free_talk(struct serve *serve)
{
	u32 i;

	for (i = 0; i < TALKS_MAX; i++)
		if (serve->talks[i].state == UR_TALK_FREE)
			return &serve->talks[i];
	return NULL;
}

static void take_call(struct serve *serve)
{
	struct ur_talk *talk = free_talk(serve);
	u32 channel;
	int fd;

	if (!talk)
		return;
	fd = ur_link_accept(&serve->link, &channel);
	if (fd >= 0) {
		ur_talk_start(talk, fd, channel,
			      ur_now_ms() + serve->timeout_ms);
		ur_talk_step(talk, &serve->exporter, false);
	} else if (fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED) {
		errno = -fd;
		ur_say("%s: cannot take a call: %m", serve->link.name);
		/* The call is still there, and poll() would say so at once. */
		serve->pause_ms = ur_now_ms() + PAUSE_MS;
	}
}

static void step_talks(struct serve *serve)
{
	u64 now = ur_now_ms();
	u32 i;

	for (i = 0; i < TALKS_MAX; i++) {
		struct ur_talk *talk = &serve->talks[i];
		short events = serve->polls[POLL_TALKS + i].revents;

		if (talk->state == UR_TALK_FREE)
			continue;
		if (events || now >= ur_talk_due_ms(talk))
			ur_talk_step(talk, &serve->exporter,
				     events & (POLLHUP | POLLERR));
	}
}

static void take_link(struct serve *serve)
{
	short events = serve->polls[POLL_LINK].revents;

	if (events & (POLLERR | POLLHUP | POLLNVAL)) {
		ur_say("%s: the link's device is gone", serve->link.name);
		serve->exit = UR_EXIT_FAILED;
		serve->is_over = true;
		return;
	}
	if (events & POLLPRI)
		ur_link_report(&serve->link);
	if (events & POLLIN)
		take_call(serve);
}

/* The loop */

/* When to look again although nothing happens. */
static u64 fill_talks(struct serve *serve, u64 due)
{
	u32 i;

	for (i = 0; i < TALKS_MAX; i++) {
		struct ur_talk *talk = &serve->talks[i];
		bool is_free = talk->state == UR_TALK_FREE;

		serve->polls[POLL_TALKS + i] = (struct pollfd){
			.fd = is_free ? -1 : talk->fd,
			.events = ur_talk_events(talk),
		};
		if (!is_free && ur_talk_due_ms(talk) < due)
			due = ur_talk_due_ms(talk);
	}
	return due;
}

static int fill_polls(struct serve *serve)
{
	bool is_paused = ur_until_ms(serve->pause_ms) > 0;
	bool takes_calls = !is_paused && free_talk(serve);
	u64 due = is_paused ? serve->pause_ms : ur_now_ms() + IDLE_MS;

	serve->polls[POLL_SIGNALS] =
		(struct pollfd){ .fd = serve->signals, .events = POLLIN };
	serve->polls[POLL_LINK] = (struct pollfd){
		.fd = serve->link.fd,
		.events = POLLPRI | (takes_calls ? POLLIN : 0),
	};
	return ur_until_ms(fill_talks(serve, due));
}

static void run(struct serve *serve)
{
	while (!serve->is_over) {
		int wait_ms = fill_polls(serve);

		if (poll(serve->polls, POLL_ALL, wait_ms) < 0 &&
		    errno != EINTR) {
			ur_say("cannot wait: %m");
			serve->exit = UR_EXIT_FAILED;
			return;
		}
		if (serve->polls[POLL_SIGNALS].revents)
			take_signal(serve);
		step_talks(serve);
		take_link(serve);
	}
}

static void stop_talks(struct serve *serve)
{
	u32 i;

	for (i = 0; i < TALKS_MAX; i++)
		if (serve->talks[i].state != UR_TALK_FREE)
			ur_talk_stop(&serve->talks[i]);
}

/* What belongs to this link is kept under its name. */
static const char *owner(const struct ur_link *link)
{
	return strncmp(link->name, "/dev/", 5) ? link->name : link->name + 5;
}

/* From the first device that may be bound to the last that is given back. */
static enum ur_exit export_devices(struct serve *serve,
				   const struct ur_selector *selectors,
				   u32 count)
{
	enum ur_exit exit;

	/* First the service: whoever has it, has this link's devices. */
	exit = ur_link_listen(&serve->link, BACKLOG);
	if (!exit)
		exit = ur_exporter_open(&serve->exporter, owner(&serve->link),
					selectors, count);
	if (!exit) {
		ur_link_report(&serve->link);
		ur_say("%s: serving USB/IP", serve->link.name);
		ur_notify("READY=1");
		run(serve);
		ur_notify("STOPPING=1");
		exit = serve->exit;
	}
	stop_talks(serve);
	if (ur_exporter_close(&serve->exporter))
		exit = UR_EXIT_FAILED;
	return exit;
}

static enum ur_exit serve_link(const struct ur_options *options,
			       const struct ur_selector *selectors)
{
	struct serve serve = { .timeout_ms = options->timeout_ms };
	enum ur_exit exit;

	exit = ur_link_open(&serve.link, options->device);
	if (exit)
		return exit;
	exit = open_signals(&serve);
	if (!exit) {
		exit = export_devices(&serve, selectors,
				      options->operand_count);
		close(serve.signals);
	}
	ur_link_close(&serve.link);
	return exit;
}

enum ur_exit ur_command_serve(const struct ur_options *options)
{
	struct ur_selector selectors[UR_SERVE_SELECTORS_MAX];
	enum ur_exit exit = UR_EXIT_OK;
	u32 i;

	for (i = 0; !exit && i < options->operand_count; i++)
		exit = ur_selector_parse(&selectors[i], options->operands[i]);
	return exit ? exit : serve_link(options, selectors);
}
