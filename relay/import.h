/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * From the client's OP_REQ_IMPORT to the end of the route: which device VM is asked,
 * what it answers, whether policy and the other routes let it. For router.c only.
 */
#ifndef UR_IMPORT_H
#define UR_IMPORT_H

#include "call.h"

/* The request was read: c->op. */
void ur_import_begin(struct ur_router *r, struct ur_call *c);

/* A step of a call that is reaching, importing or routed: whether anything moved. */
bool ur_import_step(struct ur_router *r, struct ur_call *c) ur_must_check;

/* The device VM has had its time. */
void ur_import_lose_patience(struct ur_router *r, struct ur_call *c);

#endif
