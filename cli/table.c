// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "say.h"
#include "table.h"

void ur_table_begin(struct ur_table *table, const char *const *headings)
{
	memset(table, 0, sizeof(*table));
	table->table = scols_new_table();
	table->failed = !table->table;
	for (; !table->failed && *headings; headings++)
		if (!scols_table_new_column(table->table, *headings, 0, 0))
			table->failed = true;
}

void ur_table_row(struct ur_table *table)
{
	if (table->failed)
		return;
	table->line = scols_table_new_line(table->table, NULL);
	table->column = 0;
	table->failed = !table->line;
}

void ur_table_cell(struct ur_table *table, const char *format, ...)
{
	va_list args;
	char *text;
	int used;

	va_start(args, format);
	used = vasprintf(&text, format, args);
	va_end(args);
	if (used < 0) {
		table->failed = true;
		return;
	}
	if (!table->failed &&
	    scols_line_set_data(table->line, table->column++, text) < 0)
		table->failed = true;
	free(text);
}

enum ur_exit ur_table_print(struct ur_table *table)
{
	errno = 0;
	/* It leaves a cell out when memory is short, and returns 0. */
	if (!table->failed &&
	    (scols_print_table(table->table) < 0 || errno == ENOMEM))
		table->failed = true;
	scols_unref_table(table->table);
	if (!table->failed)
		return UR_EXIT_OK;
	ur_say("cannot print the table");
	return UR_EXIT_FAILED;
}
