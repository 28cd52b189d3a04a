/* SPDX-License-Identifier: BSD-2-Clause */
/* One line per event on standard error. */
#ifndef UR_LOG_H
#define UR_LOG_H

/*
 * Write "usbroute-hub: " and the text as one line, in one write(). Longer than
 * UR_LOG_BYTES is cut. errno is kept, and %m is its text.
 */
#define UR_LOG_BYTES 512
void ur_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
