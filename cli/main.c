// SPDX-License-Identifier: BSD-2-Clause
/*
 * usbroute: a USB device of one virtual machine, used in another.
 *
 *	main.c       the table of commands, their options, help
 *	serve.c      device VM: answers requests     exporter.c  binds devices
 *	answer.c     one connection of serve         notify.c    tells systemd
 *	list.c attach.c detach.c port.c version.c    one command each
 *	ask.c        the client's requests           stream.c    exact reads, bounded
 *	link.c       the way to the other VM         node.c      /dev/usbrouteN
 *	             loopback.c  sockets of this machine, for tests and stock peers
 *	policy.c     rules for the guard         compile.c    to its table
 *	generate.c   rules for what is here
 *	vhci.c       the client's ports              attached.c  what hangs on them
 *	usb.c        USB devices here, by libudev    events.c    and when they change
 *	sysfs.c      single attributes               state.c     files under /run
 *	selector.c   how people name devices         device.c    what one is
 *	table.c json.c text.c say.c                  output and small things
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "say.h"
#include "text.h"

enum {
	TAKES_DEVICE = 1,
	TAKES_TIMEOUT = 2,
	TAKES_JSON = 4,
	TAKES_LOCAL = 8,
};

/* A driver may take its time with a device, a peer that is there answers soon. */
#define TIMEOUT_DEFAULT_MS 5000
#define SETTLE_DEFAULT_MS 20000
#define TIMEOUT_MOST_MS 3600000

static enum ur_exit command_help(const struct ur_options *options);

static const struct command {
	const char *name;
	enum ur_exit (*run)(const struct ur_options *options);
	const char *summary;
	const char *operands;
	u32 least;
	u32 most;
	u32 takes;
	const char *more;
} commands[] = {
	{ "serve", ur_command_serve,
	  "give this machine's USB devices to the other VM", "[SELECTOR...]",
	  0, UR_SERVE_SELECTORS_MAX, TAKES_DEVICE | TAKES_TIMEOUT,
	  "Stays in the foreground. A device leaves its driver when the other VM\n"
	  "first asks for it; SIGTERM gives every device back to its own driver.\n"
	  "Without a SELECTOR every device but hubs is offered.\n" },
	{ "list", ur_command_list, "show the devices that the other VM gives",
	  "", 0, 0, TAKES_DEVICE | TAKES_TIMEOUT | TAKES_JSON | TAKES_LOCAL,
	  "" },
	{ "attach", ur_command_attach, "use a device of the other VM here",
	  "SELECTOR", 1, 1, TAKES_DEVICE | TAKES_TIMEOUT,
	  "Returns when this machine's kernel has the device and its drivers have\n"
	  "looked at it.\n" },
	{ "detach", ur_command_detach, "let an attached device go",
	  "PORT|SELECTOR", 1, 1, TAKES_TIMEOUT,
	  "Returns when the port is free and nothing of the device is left.\n" },
	{ "port", ur_command_port, "show what is attached here", "", 0, 0,
	  TAKES_JSON, "" },
	{ "policy", ur_command_policy, "rules for the guard between two links",
	  "VERB ...", 1, 3, 0,
	  "    check FILE            are the rules well-formed?\n"
	  "    test FILE DEVICE      what do they decide? DEVICE is written like a rule:\n"
	  "                          'id 46f4:0001 with-interface 08:06:50'\n"
	  "    compile FILE TABLE    to the table that the guard loads\n"
	  "    generate [CLIENT [VM]] rules that allow this machine's devices\n" },
	{ "version", ur_command_version, "show versions and the links' state",
	  "", 0, 0, TAKES_DEVICE, "" },
	{ "help", command_help, "show this, or a command's own help",
	  "[COMMAND]", 0, 1, 0, "" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
	{ "device", required_argument, NULL, 'd' },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },
	{ "local", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const struct {
	int letter;
	u32 takes;
	const char *text;
} option_helps[] = {
	{ 'd', TAKES_DEVICE,
	  "  -d, --device LINK      /dev/usbrouteN (default: the only one there is)\n" },
	{ 't', TAKES_TIMEOUT,
	  "  -t, --timeout SECONDS  how long to wait for the other side (default: 5),\n"
	  "                         and for a device to come or go here (20)\n" },
	{ 'j', TAKES_JSON, "  -j, --json             for programs\n" },
	{ 'l', TAKES_LOCAL,
	  "  -l, --local            the devices that this machine could give\n" },
};
#define OPTION_HELPS (sizeof(option_helps) / sizeof(option_helps[0]))

/* Help */

static void print_help(FILE *to)
{
	size_t i;

	fputs("usage: usbroute COMMAND [OPTION...] [OPERAND...]\n\n", to);
	for (i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %-14s %s\n", commands[i].name,
			commands[i].operands, commands[i].summary);
	fputs("\nA SELECTOR is a busid (1-1.2), VID:PID (46f4:0001), serial=TEXT or "
	      "port=1-1.2.\n"
	      "Exit status: 0 ok, 1 failed, 2 usage, 3 nothing matched, 4 refused, "
	      "5 peer gone.\n"
	      "usbroute COMMAND --help tells more; so does usbroute(8).\n",
	      to);
}

static void print_command_help(const struct command *command)
{
	size_t i;

	printf("usage: usbroute %s [OPTION...] %s\n\n%s.\n%s\n", command->name,
	       command->operands, command->summary, command->more);
	for (i = 0; i < OPTION_HELPS; i++)
		if (command->takes & option_helps[i].takes)
			fputs(option_helps[i].text, stdout);
	puts("  -h, --help             this text");
}

static const struct command *find_command(const char *name)
{
	char shown[64];
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	ur_text_copy(shown, sizeof(shown), name);
	ur_say("no command \"%s\"; try usbroute help", shown);
	return NULL;
}

static enum ur_exit command_help(const struct ur_options *options)
{
	const struct command *command;

	if (options->operand_count == 0) {
		print_help(stdout);
		return UR_EXIT_OK;
	}
	command = find_command(options->operands[0]);
	if (!command)
		return UR_EXIT_USAGE;
	print_command_help(command);
	return UR_EXIT_OK;
}

/* The command line */

/* Seconds with up to three decimals, as milliseconds. */
static bool parse_timeout(const char *text, u32 *timeout_ms)
{
	const char *point = strchrnul(text, '.');
	char whole[8] = "";
	char part[4] = "000";
	u32 seconds;
	u32 thousandths;

	if (point - text >= (ptrdiff_t)sizeof(whole))
		return false;
	memcpy(whole, text, point - text);
	if (*point == '.') {
		if (strlen(++point) > 3)
			return false;
		memcpy(part, point, strlen(point));
	}
	if (!ur_text_number(whole, 10, TIMEOUT_MOST_MS / 1000, &seconds) ||
	    !ur_text_number(part, 10, 999, &thousandths))
		return false;
	*timeout_ms = seconds * 1000 + thousandths;
	return *timeout_ms > 0 && *timeout_ms <= TIMEOUT_MOST_MS;
}

static enum ur_exit try_help(const struct command *command)
{
	ur_say("try usbroute %s --help", command->name);
	return UR_EXIT_USAGE;
}

static enum ur_exit take_option(const struct command *command, int letter,
				struct ur_options *options)
{
	size_t i;

	for (i = 0; i < OPTION_HELPS; i++)
		if (option_helps[i].letter == letter &&
		    !(command->takes & option_helps[i].takes)) {
			ur_say("%s does not take -%c", command->name, letter);
			return try_help(command);
		}
	switch (letter) {
	case 'd':
		options->device = optarg;
		return UR_EXIT_OK;
	case 'j':
		options->json = true;
		return UR_EXIT_OK;
	case 'l':
		options->local = true;
		return UR_EXIT_OK;
	case 't':
		if (parse_timeout(optarg, &options->timeout_ms)) {
			options->settle_ms = options->timeout_ms;
			return UR_EXIT_OK;
		}
		ur_say("--timeout %.20s: want seconds, 0.001 to %u", optarg,
		       TIMEOUT_MOST_MS / 1000);
		return UR_EXIT_USAGE;
	default:	/* getopt_long has said what is wrong */
		return try_help(command);
	}
}

static enum ur_exit check_operands(const struct command *command,
				   const struct ur_options *options)
{
	if (options->operand_count >= command->least &&
	    options->operand_count <= command->most)
		return UR_EXIT_OK;
	if (command->least == command->most)
		ur_say("%s: %u operands, want %u", command->name,
		       options->operand_count, command->most);
	else
		ur_say("%s: %u operands, want %u to %u", command->name,
		       options->operand_count, command->least, command->most);
	return try_help(command);
}

/* A full disk or a closed pipe must not look like success. */
static enum ur_exit finish(enum ur_exit exit)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit;
	ur_say("cannot write to standard output: %m");
	return exit ? exit : UR_EXIT_FAILED;
}

static enum ur_exit run_command(const struct command *command, int argc,
				char **argv)
{
	struct ur_options options = {
		.timeout_ms = TIMEOUT_DEFAULT_MS,
		.settle_ms = SETTLE_DEFAULT_MS,
	};
	char name[32];
	int letter;

	/* getopt_long's messages begin with argv[0] */
	snprintf(name, sizeof(name), "usbroute: %s", command->name);
	argv[0] = name;
	while ((letter = getopt_long(argc, argv, "d:t:jlh", long_options,
				     NULL)) != -1) {
		enum ur_exit exit;

		if (letter == 'h') {
			print_command_help(command);
			return finish(UR_EXIT_OK);
		}
		exit = take_option(command, letter, &options);
		if (exit)
			return exit;
	}
	options.operands = argv + optind;
	options.operand_count = (u32)(argc - optind);
	if (check_operands(command, &options))
		return UR_EXIT_USAGE;
	return finish(command->run(&options));
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	if (*name == '\0') {
		print_help(stderr);
		return UR_EXIT_USAGE;
	}
	command = find_command(name);
	return command ? run_command(command, argc - 1, argv + 1) :
			 UR_EXIT_USAGE;
}
