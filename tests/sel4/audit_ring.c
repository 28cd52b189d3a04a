// SPDX-License-Identifier: BSD-2-Clause
/* audit_ring LINES: an audit region of 64 KiB after so many lines, on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "audit_ring.h"

#define REGION_BYTES 0x10000

int main(int argc, char **argv)
{
	struct ur_audit_ring ring;
	char line[UR_AUDIT_LINE_BYTES];
	void *region = malloc(REGION_BYTES);
	int i;

	if (argc != 2 || !region)
		return 2;
	/* As after a warm reset: lines of a guard that was here before. */
	memset(region, 1, REGION_BYTES);
	ur_audit_ring_init(&ring, region, REGION_BYTES);
	for (i = 1; i <= atoi(argv[1]); i++)
		ur_audit_ring_put(&ring, line,
				  (u32)sprintf(line, "{\"number\":%d}", i));
	if (fwrite(region, 1, REGION_BYTES, stdout) != REGION_BYTES)
		return 1;
	free(region);
	return 0;
}
