// SPDX-License-Identifier: BSD-2-Clause
/* All of wire/cursor.h and wire/refusal.h: nothing reaches outside a buffer. */
#include "cursor_spec.h"
