// SPDX-License-Identifier: BSD-2-Clause
/*
 * usbroute-hub: hands the two ends of each link to QEMU VMs, or one of them, and
 * runs the guard at the other.
 *
 *	main.c      options, signals, start and end
 *	config.c    the configuration file      key.c, value.c   its keys and values
 *	loop.c      an epoll and a thread each, and one turn for all
 *	server.c    one link: the protocol, and the death of a client
 *	message.c   the protocol's messages
 *	listener.c  a socket file and who connects to it
 *	memory.c    the sealed memory of a link
 *	bell.c      an eventfd, rung without trust in who else holds it
 *	keeper.c    the guard: a router between its ends of the VMs' links
 *	urgency.c   how soon it runs once it is woken
 *	rules.c     the guard's policy          journal.c   what it decided
 *	log.c       one line per event          ration.h    how many a client may cause
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config.h"
#include "keeper.h"
#include "log.h"
#include "loop.h"
#include "server.h"

#ifndef UR_HUB_VERSION
#define UR_HUB_VERSION "unknown"
#endif
#define DEFAULT_CONFIG "/etc/usbroute/hub.conf"

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct hub {
	struct ur_config config;
	struct ur_turn turn;
	struct ur_loop loop;
	struct ur_source signals;
	struct ur_server servers[UR_CONFIG_LINKS_MAX];
	unsigned int open; /* of servers */
	struct ur_keeper keeper; /* if the configuration has a guard */
};

/* Options */

struct choice {
	const char *config;
	bool check;
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", required_argument, NULL, 'k' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static const char help[] =
	"usage: usbroute-hub [--config FILE]\n"
	"       usbroute-hub --check FILE\n"
	"\n"
	"Hands the shared memory and the doorbells of links to QEMU VMs, and runs the\n"
	"guard between them.\n"
	"\n"
	"  -c, --config FILE   what to serve (" DEFAULT_CONFIG ")\n"
	"      --check FILE    only say whether FILE is good\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n"
	"\n"
	"Stays in the foreground; SIGTERM ends it. See usbroute-hub(8).\n";

static void usage_error(void)
{
	fprintf(stderr, "usbroute-hub: try usbroute-hub --help\n");
	exit(EXIT_USAGE);
}

static void take_option(struct choice *choice, int option)
{
	switch (option) {
	case 'c':
		choice->config = optarg;
		break;
	case 'k':
		choice->config = optarg;
		choice->check = true;
		break;
	case 'h':
		fputs(help, stdout);
		exit(EXIT_OK);
	case 'V':
		puts("usbroute-hub " UR_HUB_VERSION);
		exit(EXIT_OK);
	default:
		usage_error();
	}
}

static struct choice read_options(int argc, char **argv)
{
	struct choice choice = { .config = DEFAULT_CONFIG };
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1)
		take_option(&choice, option);
	if (optind < argc) {
		fprintf(stderr, "usbroute-hub: unexpected argument \"%s\"\n",
			argv[optind]);
		usage_error();
	}
	return choice;
}

/* Signals */

static void report(const struct hub *hub)
{
	if (hub->config.guard.line)
		ur_keeper_report(&hub->keeper);
	else
		ur_log("no guard: nothing to count");
}

static void signal_ready(struct ur_source *source)
{
	struct hub *hub =
		(void *)((u8 *)source - offsetof(struct hub, signals));
	struct signalfd_siginfo info;

	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		report(hub);
		return;
	}
	ur_log("stops: signal %u from pid %u", info.ssi_signo, info.ssi_pid);
	ur_loop_stop(&hub->loop);
}

static int watch_signals(struct hub *hub)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A log or audit that cannot be written is an error of write(). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		ur_log("cannot wait for signals: %m");
		return -1;
	}
	hub->signals.ready = signal_ready;
	if (ur_loop_add(&hub->loop, &hub->signals, fd) == 0)
		return 0;
	close(fd);
	return -1;
}

/* Start and end */

static int open_links(struct hub *hub)
{
	const struct ur_config *config = &hub->config;

	for (; hub->open < config->count; hub->open++)
		if (ur_server_open(&hub->servers[hub->open],
				   &config->links[hub->open], &hub->loop) < 0)
			return -1;
	return 0;
}

static void close_links(struct hub *hub)
{
	while (hub->open > 0)
		ur_server_close(&hub->servers[--hub->open]);
}

/* "3 links", and what the guard has. */
static void describe(const struct ur_config *config, char text[UR_LOG_BYTES])
{
	int used = snprintf(text, UR_LOG_BYTES, "%u links",
			    config->kinds[UR_CONFIG_LINK]);

	if (config->guard.line)
		snprintf(text + used, UR_LOG_BYTES - used,
			 ", guard of %u clients and %u device VMs",
			 config->kinds[UR_CONFIG_CLIENT],
			 config->kinds[UR_CONFIG_DEVICE]);
}

static int open_guard(struct hub *hub)
{
	if (hub->config.guard.line == 0)
		return 0;
	return ur_keeper_open(&hub->keeper, &hub->config, hub->servers,
			      &hub->loop);
}

static int serve(struct hub *hub)
{
	char text[UR_LOG_BYTES];
	int err;

	if (watch_signals(hub) < 0 || open_links(hub) < 0 || open_guard(hub) < 0)
		return -1;
	describe(&hub->config, text);
	ur_log("ready: %s", text);
	sd_notifyf(0, "READY=1\nSTATUS=%s", text);
	err = ur_loop_run(&hub->loop);
	if (hub->config.guard.line && ur_keeper_close(&hub->keeper) < 0)
		return -1;
	return err;
}

static int run(struct hub *hub)
{
	int err;

	if (ur_turn_init(&hub->turn) < 0 ||
	    ur_loop_open(&hub->loop, &hub->turn) < 0)
		return -1;
	hub->signals.fd = UR_LOOP_NONE;
	err = serve(hub);
	sd_notify(0, "STOPPING=1");
	close_links(hub);
	if (hub->signals.fd != UR_LOOP_NONE)
		close(hub->signals.fd);
	ur_loop_close(&hub->loop);
	return err;
}

/* The file has been read: can the hub do what it says? */
static int check(struct hub *hub, const char *file)
{
	const struct ur_config_guard *guard = &hub->config.guard;
	struct ur_rules rules;
	char text[UR_LOG_BYTES];

	if (guard->line) {
		if (ur_rules_load(&rules, guard->policy) < 0)
			return -1;
		ur_rules_free(&rules);
	}
	describe(&hub->config, text);
	printf("%s: good, %s\n", file, text);
	return 0;
}

int main(int argc, char **argv)
{
	struct choice choice = read_options(argc, argv);
	struct hub *hub = calloc(1, sizeof(*hub));
	int err = -1;

	if (!hub)
		ur_log("out of memory");
	else if (ur_config_load(&hub->config, choice.config) == 0)
		err = choice.check ? check(hub, choice.config) : run(hub);
	free(hub);
	return err ? EXIT_FAILED : EXIT_OK;
}
