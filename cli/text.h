/* SPDX-License-Identifier: BSD-2-Clause */
/* Small things about strings: strict numbers, and text that is safe to print. */
#ifndef UR_TEXT_H
#define UR_TEXT_H

#include "env.h"

/*
 * The whole of `text` as a number: digits of that base (10 or 16) only, no sign,
 * no space, at most `most`. Whether it is one; *value is untouched otherwise.
 */
bool ur_text_number(const char *text, int base, u32 most,
		    u32 *value) ur_must_check;

/*
 * Copy `from` (NULL: nothing) into a field of `size` bytes, cut and ended by a
 * NUL, every byte that is not printable ASCII replaced by '?'. Strings of USB
 * devices and of peers are anyone's: they must not move a terminal's cursor or
 * break a JSON text.
 */
void ur_text_copy(char *to, size_t size, const char *from);

/* The same in place. */
void ur_text_clean(char *text);

#endif
