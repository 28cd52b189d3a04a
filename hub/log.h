/* SPDX-License-Identifier: BSD-2-Clause */
/* One line per event on standard error. From any thread. */
#ifndef UR_LOG_H
#define UR_LOG_H

/*
 * Write "usbroute-hub: " and the text as one line, in one write(). Longer than
 * UR_LOG_BYTES is cut. errno is kept, and %m is its text. A log that nobody reads
 * stops no link: its lines are lost, and how many is told once there is room again.
 */
#define UR_LOG_BYTES 512
void ur_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
