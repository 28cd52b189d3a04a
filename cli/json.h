/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What --json prints. "version":1 is a promise: fields may be added, none
 * changes its meaning or goes away. usbroute(8) lists them.
 */
#ifndef UR_JSON_H
#define UR_JSON_H

#include <jansson.h>

#include "command.h"
#include "device.h"

#define UR_JSON_VERSION 1

/*
 * Before anything else of jansson. It would seed its hash tables from
 * /dev/urandom, which costs a guest that has just booted a whole second; the seed
 * is against hostile JSON, and we read none.
 */
void ur_json_begin(void);

/* A new object, or NULL without memory; local devices have more fields. */
json_t *ur_json_device(const struct ur_device *device, bool is_local);

/* Print and free a document. NULL is an error: there was no memory for it. */
enum ur_exit ur_json_print(json_t *document) ur_must_check;

#endif
