/* SPDX-License-Identifier: BSD-2-Clause */
/* One line per event or error on standard error. */
#ifndef UR_SAY_H
#define UR_SAY_H

/*
 * Write "usbroute: " and the text as one line, in one write(). Longer than
 * 512 bytes is cut. errno is kept, and %m is its text. What a peer or a
 * device may have chosen goes through ur_text_clean() first. A line that nobody takes
 * stops no work: it is lost, and how many were is said once there is room again.
 */
void ur_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
