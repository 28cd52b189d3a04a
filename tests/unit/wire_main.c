// SPDX-License-Identifier: BSD-2-Clause
/* All unit tests of wire/ as one group, so that there is one TAP plan. */
#include "wire_test.h"

int main(void)
{
	static const struct wire_tests *const files[] = {
		&wire_cursor_tests,    &wire_pdu_tests, &wire_framer_tests,
		&wire_op_tests,	       &wire_op_framer_tests,
	};
	struct CMUnitTest all[64];
	size_t count = 0;
	size_t file, i;

	for (file = 0; file < ROWS(files); file++)
		for (i = 0; i < files[file]->count && count < ROWS(all); i++)
			all[count++] = files[file]->tests[i];
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("wire", all, count, NULL, NULL);
}
