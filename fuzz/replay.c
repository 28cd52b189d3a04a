// SPDX-License-Identifier: BSD-2-Clause
/*
 * A target without the fuzzer: each file named is one input. For a compiler without
 * libFuzzer, for a debugger, and for `make coverage`.
 */
#include "fuzz.h"

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	u8 *data = malloc(1 << 20);
	size_t size;

	if (!file || !data) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, 1 << 20, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	for (i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("# %d inputs\n", argc - 1);
	return failed;
}
