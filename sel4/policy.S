/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard's table, compiled from rules on the host: -DUR_POLICY='"file"'.
 */
	.section .rodata
	.balign 8
	.global ur_policy_table
	.global ur_policy_table_end
ur_policy_table:
	.incbin UR_POLICY
ur_policy_table_end:
