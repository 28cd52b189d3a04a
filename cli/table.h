/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table on standard output. What fails is noticed once, by ur_table_print():
 * before it every call may be made, whatever the earlier ones returned.
 */
#ifndef UR_TABLE_H
#define UR_TABLE_H

#include <libsmartcols.h>

#include "command.h"

struct ur_table {
	struct libscols_table *table;
	struct libscols_line *line;
	u32 column;		/* next cell of the line */
	bool failed;
};

/* Headings up to a NULL. */
void ur_table_begin(struct ur_table *table, const char *const *headings);
void ur_table_row(struct ur_table *table);
/* The next cell of the row. */
void ur_table_cell(struct ur_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Print and free it. */
enum ur_exit ur_table_print(struct ur_table *table) ur_must_check;

#endif
