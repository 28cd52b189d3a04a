/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subcommands of `usbroute`, and what each is given. main.c reads the
 * command line once for all of them; a command gets options that are in range and
 * a number of operands that it can take, does its work, has said on standard
 * error what went wrong, and returns the program's exit status.
 */
#ifndef UR_COMMAND_H
#define UR_COMMAND_H

#include "env.h"

/* Exit status. Scripts depend on these numbers: usbroute(8). */
enum ur_exit {
	UR_EXIT_OK = 0,
	UR_EXIT_FAILED = 1,
	UR_EXIT_USAGE = 2,	/* also: a selector that fits several devices */
	UR_EXIT_NO_MATCH = 3,
	UR_EXIT_REFUSED = 4,
	UR_EXIT_PEER_GONE = 5,
};

#define UR_SERVE_SELECTORS_MAX 64

struct ur_options {
	const char *device;	/* NULL: the only link there is */
	u32 timeout_ms;		/* for the other side to answer */
	u32 settle_ms;		/* for a device to come or go here */
	bool json;
	bool local;
	char **operands;
	u32 operand_count;
};

enum ur_exit ur_command_serve(const struct ur_options *options);
enum ur_exit ur_command_list(const struct ur_options *options);
enum ur_exit ur_command_attach(const struct ur_options *options);
enum ur_exit ur_command_detach(const struct ur_options *options);
enum ur_exit ur_command_port(const struct ur_options *options);
enum ur_exit ur_command_policy(const struct ur_options *options);
enum ur_exit ur_command_version(const struct ur_options *options);

#endif
