/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which way a message travels on the link. Not the direction of a transfer's
 * data: the request for an IN transfer travels to the device.
 */
#ifndef UR_TRAVEL_H
#define UR_TRAVEL_H

enum ur_travel {
	UR_TO_DEVICE,	/* the client asks: OP_REQ_*, CMD_* */
	UR_TO_CLIENT,	/* the device side answers: OP_REP_*, RET_* */
};

#endif
