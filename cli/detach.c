// SPDX-License-Identifier: BSD-2-Clause
/* usbroute detach: let a device go, and wait until nothing is left of it here. */
#include <stdio.h>

#include "attached.h"
#include "clock.h"
#include "events.h"
#include "say.h"
#include "selector.h"
#include "state.h"
#include "text.h"
#include "vhci.h"

/* No event says that a port is free again, only that its device went. */
#define LOOK_MS 20

static enum ur_exit wait_until_gone(const struct ur_vhci_port *port,
				    struct ur_events *events, u32 settle_ms)
{
	u64 deadline = ur_now_ms() + settle_ms;
	struct ur_event event;

	while (!ur_vhci_is_gone(port->port, port->busid)) {
		if (ur_until_ms(deadline) == 0) {
			ur_say("port %u: not free after %.1f s", port->port,
			       settle_ms / 1000.0);
			return UR_EXIT_FAILED;
		}
		ur_events_next(events, LOOK_MS, &event);
	}
	return UR_EXIT_OK;
}

static enum ur_exit let_go(const struct ur_vhci_port *port, u32 settle_ms)
{
	struct ur_events *events = ur_events_open();
	enum ur_exit exit;

	if (!events)
		return UR_EXIT_FAILED;
	exit = ur_vhci_detach(port->port);
	if (!exit)
		exit = wait_until_gone(port, events, settle_ms);
	if (!exit) {
		ur_state_forget(port->port);
		printf("port %u: free\n", port->port);
	}
	ur_events_close(events);
	return exit;
}

static enum ur_exit find_by_number(u32 number, struct ur_vhci_port *port)
{
	enum ur_exit exit = ur_vhci_read_port(number, port);

	if (!exit && port->status == UR_VHCI_FREE) {
		ur_say("port %u: nothing is attached there", number);
		return UR_EXIT_NO_MATCH;
	}
	return exit;
}

/* A busid may be the device's there or here: people see both. */
static bool fits(const struct ur_selector *selector,
		 const struct ur_attached *item)
{
	return ur_selector_matches(selector, &item->device) ||
	       (selector->kind == UR_SELECT_BUSID &&
		strcmp(selector->text, item->origin.busid) == 0);
}

static enum ur_exit choose(const struct ur_selector *selector,
			   const struct ur_attached_list *list,
			   struct ur_vhci_port *port)
{
	char text[UR_SELECTOR_TEXT_BYTES];
	u32 matches = 0;
	u32 i;

	for (i = 0; i < list->count; i++)
		if (fits(selector, &list->items[i])) {
			*port = list->items[i].port;
			matches++;
		}
	if (matches == 1)
		return UR_EXIT_OK;
	ur_selector_print(selector, text);
	ur_say(matches ? "%s fits %u attached devices; name one by its port:" :
			 "%s: no such device among %u attached",
	       text, matches ? matches : list->count);
	for (i = 0; matches && i < list->count; i++)
		if (fits(selector, &list->items[i]))
			ur_say("    port %u  %s", list->items[i].port.port,
			       list->items[i].port.busid);
	return matches ? UR_EXIT_USAGE : UR_EXIT_NO_MATCH;
}

static enum ur_exit find_by_selector(const char *text,
				     struct ur_vhci_port *port)
{
	struct ur_attached_list list = { 0 };
	struct ur_selector selector;
	enum ur_exit exit = ur_selector_parse(&selector, text);

	if (!exit)
		exit = ur_attached_read(&list);
	if (!exit)
		exit = choose(&selector, &list, port);
	ur_attached_free(&list);
	return exit;
}

enum ur_exit ur_command_detach(const struct ur_options *options)
{
	const char *operand = options->operands[0];
	struct ur_vhci_port port;
	enum ur_exit exit;
	u32 number;

	if (ur_text_number(operand, 10, 0xffff, &number))
		exit = find_by_number(number, &port);
	else
		exit = find_by_selector(operand, &port);
	return exit ? exit : let_go(&port, options->settle_ms);
}
