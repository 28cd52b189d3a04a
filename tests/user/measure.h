/* SPDX-License-Identifier: BSD-2-Clause */
/* Medians of runs that take turns, for tests that compare two of them. */
#ifndef UR_TEST_MEASURE_H
#define UR_TEST_MEASURE_H

#include "duo.h"

static inline u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* A window of time: nothing is waited for but its end. */
static inline void let_run(u32 ms)
{
	const struct timespec t = { 0, (long)ms * 1000000 };

	nanosleep(&t, NULL);
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

#endif
