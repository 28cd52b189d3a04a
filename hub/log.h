/* SPDX-License-Identifier: BSD-2-Clause */
/* One line per event on standard error. From any thread. */
#ifndef UR_LOG_H
#define UR_LOG_H

#include "output.h"

/*
 * Write "usbroute-hub: " and the text as one line, in one write(). Longer than
 * UR_LOG_BYTES is cut. errno is kept, and %m is its text. A log that nobody reads
 * stops no link: its lines are lost, and how many is told once there is room again.
 */
#define UR_LOG_BYTES UR_OUTPUT_LOG_BYTES
void ur_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
