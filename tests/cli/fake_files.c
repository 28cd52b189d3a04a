// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS 16
#define BUFFER_BYTES 8192

static char *next_buffer(void)
{
	static __thread char buffers[BUFFERS][BUFFER_BYTES];
	static __thread unsigned int next;

	return buffers[next++ % BUFFERS];
}

const char *fake_path(const char *format, ...)
{
	const char *root = getenv("USBROUTE_TEST_ROOT");
	char *path = next_buffer();
	va_list args;
	int used;

	used = snprintf(path, BUFFER_BYTES, "%s", root ? root : "/nonexistent");
	va_start(args, format);
	vsnprintf(path + used, BUFFER_BYTES - used, format, args);
	va_end(args);
	return path;
}

const char *fake_read(const char *path)
{
	char *text = next_buffer();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return NULL;
	got = read(fd, text, BUFFER_BYTES - 1);
	close(fd);
	if (got < 0)
		return NULL;
	if (got > 0 && text[got - 1] == '\n')
		got--;
	text[got] = '\0';
	return text;
}

static void put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(path);
		abort();
	}
	close(fd);
}

void fake_write(const char *path, const char *text)
{
	put(path, text, O_TRUNC);
}

void fake_append(const char *path, const char *text)
{
	put(path, text, O_APPEND);
}

const char *fake_word(const char *path, const char *name, const char *other)
{
	const char *text = fake_read(path);
	size_t length = strlen(name);
	char *value = next_buffer();

	while (text && *text) {
		size_t line = strcspn(text, "\n");

		if (strncmp(text, name, length) == 0 && text[length] == ' ') {
			snprintf(value, BUFFER_BYTES, "%.*s",
				 (int)(line - length - 1), text + length + 1);
			return value;
		}
		text += line + (text[line] == '\n');
	}
	return other;
}

long fake_number(const char *path, const char *name, long other)
{
	const char *value = fake_word(path, name, NULL);

	return value ? strtol(value, NULL, 0) : other;
}
