// SPDX-License-Identifier: BSD-2-Clause
/*
 * dprintf and its kin, which libc writes out past write(). The text is made
 * first, then goes out as any other.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <stdarg.h>
#include <stdlib.h>

extern int __vasprintf_chk(char **text, int flag, const char *format, va_list args);
UR_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...);
UR_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args);

/* length < 0: there is no text. */
static int put(struct ur_sock *s, int fd, char *text, int length)
{
	int at = 0;
	ssize_t n = 0;

	ur_sock_put(s);
	if (length < 0)
		return -1;
	for (; at < length && n >= 0; at += (int)n)
		n = write(fd, text + at, (size_t)(length - at));
	free(text);
	return n < 0 ? -1 : length;
}

UR_EXPORT int vdprintf(int fd, const char *format, va_list args)
{
	struct ur_sock *s = ur_table_ring(fd);
	char *text;
	int n;

	if (!s)
		return ur_libc()->vdprintf(fd, format, args);
	n = vasprintf(&text, format, args);
	return put(s, fd, text, n);
}

UR_EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

/* What programs built with _FORTIFY_SOURCE call instead. */

int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	struct ur_sock *s = ur_table_ring(fd);
	char *text;
	int n;

	if (!s)
		return ur_libc()->__vdprintf_chk(fd, flag, format, args);
	n = __vasprintf_chk(&text, flag, format, args);
	return put(s, fd, text, n);
}

int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __vdprintf_chk(fd, flag, format, args);
	va_end(args);
	return n;
}
