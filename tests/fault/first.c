// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where indices and generations start, from the environment: linked into every
 * test of ring/ and user/ by --wrap, so that the whole suite can run near their
 * wrap. A test that asks for a start of its own still gets it.
 *
 *      UR_FIRST_INDEX=0xffffff00         32 bits
 *      UR_FIRST_GENERATION=0xfffffe      24 bits
 */
#include <stdio.h>
#include <stdlib.h>

#include "file_link.h"

int __real_ur_geometry_init(struct ur_geometry *g, u64 outbox_bytes,
			    u32 channels, u32 ring_bytes,
			    struct ur_fault *fault);
int __wrap_ur_geometry_init(struct ur_geometry *g, u64 outbox_bytes,
			    u32 channels, u32 ring_bytes,
			    struct ur_fault *fault);

/* Weak: the tests of ring/ have no binding. */
struct ur_file_link_config
__real_ur_file_link_config(enum ur_end end, const char *path)
	__attribute__((weak));
struct ur_file_link_config
__wrap_ur_file_link_config(enum ur_end end, const char *path);

static u32 first(const char *name, u32 most, u32 otherwise)
{
	const char *text = getenv(name);
	unsigned long long value;
	char *end;

	if (!text || !*text)
		return otherwise;
	value = strtoull(text, &end, 0);
	if (*end == '\0' && value <= most)
		return (u32)value;
	printf("Bail out! %s is \"%s\", expected a number up to 0x%x\n", name,
	       text, most);
	exit(2);
}

static u32 first_index(u32 otherwise)
{
	return first("UR_FIRST_INDEX", 0xffffffff, otherwise);
}

static u32 first_generation(u32 otherwise)
{
	return first("UR_FIRST_GENERATION", 0xffffff, otherwise);
}

int __wrap_ur_geometry_init(struct ur_geometry *g, u64 outbox_bytes,
			    u32 channels, u32 ring_bytes,
			    struct ur_fault *fault)
{
	int n = __real_ur_geometry_init(g, outbox_bytes, channels, ring_bytes,
					fault);

	if (n == 0) {
		g->first_index = first_index(g->first_index);
		g->first_generation = first_generation(g->first_generation);
	}
	return n;
}

struct ur_file_link_config
__wrap_ur_file_link_config(enum ur_end end, const char *path)
{
	struct ur_file_link_config c = __real_ur_file_link_config(end, path);

	c.first_index = first_index(c.first_index);
	c.first_generation = first_generation(c.first_generation);
	return c;
}
