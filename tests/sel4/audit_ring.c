// SPDX-License-Identifier: BSD-2-Clause
/* audit_ring LINES: an audit region of 64 KiB after so many lines, on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "audit_ring.h"

#define REGION_BYTES 0x10000

static void put_lines(struct ur_audit_ring *ring, void *region, int count,
		      const char *format)
{
	char line[UR_AUDIT_LINE_BYTES];
	int i;

	ur_audit_ring_init(ring, region, REGION_BYTES);
	for (i = 1; i <= count; i++)
		ur_audit_ring_put(ring, line, (u32)sprintf(line, format, i));
}

int main(int argc, char **argv)
{
	struct ur_audit_ring ring;
	void *region = malloc(REGION_BYTES);

	if (argc != 2 || !region)
		return 2;
	/* As after a warm reset: another guard was here before. */
	memset(region, 1, REGION_BYTES);
	put_lines(&ring, region, 100, "{\"before\":%d}");
	put_lines(&ring, region, atoi(argv[1]), "{\"number\":%d}");
	if (fwrite(region, 1, REGION_BYTES, stdout) != REGION_BYTES)
		return 1;
	free(region);
	return 0;
}
