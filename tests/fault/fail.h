/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Make the nth allocation fail, once: memory, whoever asks for it (the libraries
 * too), and descriptors, mappings and file space that the code under test asks
 * for. Its objects are joined and their symbols renamed by syscalls.txt; memory
 * is taken over from AddressSanitizer, which still finds leaks and wild accesses.
 *
 * A test in C arms one thread. A program has its main thread armed, from its start
 * (the hub and the command have no other), by
 *
 *      UR_FAIL_AT=n       0: count only
 *      UR_FAIL_LOG=FILE   gets "failed n NAME" when it fails, "count n" at the end
 */
#ifndef UR_TEST_FAIL_H
#define UR_TEST_FAIL_H

/* This thread's nth allocation from now fails; 0: none, only count. */
void fail_arm(unsigned int nth);

/* Back to normal. Returns how many there were. */
unsigned int fail_disarm(void);

/* What failed since fail_arm(), NULL: nothing yet; and with which errno. */
const char *fail_what(void);
int fail_errno(void);

#endif
