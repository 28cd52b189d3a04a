// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link.h"
#include "log.h"
#include "memory.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int map(struct ur_memory *memory)
{
	if (ftruncate(memory->fd, memory->bytes) < 0 ||
	    fcntl(memory->fd, F_ADD_SEALS, SEALS) < 0)
		return -1;
	memory->base = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED, memory->fd, 0);
	return memory->base == MAP_FAILED ? -1 : 0;
}

int ur_memory_open(struct ur_memory *memory, const char *name, u32 bytes)
{
	memory->bytes = bytes;
	memory->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0 || map(memory) < 0) {
		ur_log("link %s: cannot make %u bytes of shared memory: %m",
		       name, bytes);
		if (memory->fd >= 0)
			close(memory->fd);
		return -1;
	}
	return 0;
}

void ur_memory_close(struct ur_memory *memory)
{
	munmap(memory->base, memory->bytes);
	close(memory->fd);
}

u32 ur_memory_declare_down(struct ur_memory *memory, enum ur_end end)
{
	u8 *outbox = (u8 *)memory->base + end * (memory->bytes / 2);
	const struct ur_header_shm *header = (struct ur_header_shm *)outbox;
	u32 epoch = ur_load_once(&header->epoch);

	ur_link_declare_down(outbox);
	return epoch;
}
