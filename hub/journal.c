// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "journal.h"
#include "log.h"
#include "output.h"

#define LINE_BYTES (UR_AUDIT_LINE_BYTES + 64)

int ur_journal_open(struct ur_journal *journal, const char *path)
{
	*journal = (struct ur_journal){
		.path = path,
		.fd = STDOUT_FILENO,
	};
	ur_ration_init(&journal->ration, UR_JOURNAL_LINES_A_SECOND,
		       UR_JOURNAL_LINES_MOST, ur_now_ms());
	if (path[0] == '\0')
		return 0;
	journal->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (journal->fd < 0)
		ur_log("guard: audit: cannot open %s: %m", path);
	return journal->fd < 0 ? -1 : 0;
}

void ur_journal_close(struct ur_journal *journal)
{
	if (journal->fd > STDOUT_FILENO)
		close(journal->fd);
	journal->fd = -1;
}

/* {"time":"2000-01-01T00:00:00.000Z" */
static int put_time(char text[LINE_BYTES])
{
	char date[32];
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(date, sizeof(date), "%FT%T", &parts);
	return snprintf(text, LINE_BYTES, "{\"time\":\"%s.%03ldZ\"", date,
			now.tv_nsec / 1000000);
}

static bool write_line(struct ur_journal *journal, const char *text, int bytes)
{
	bool fails = !ur_output_write(journal->fd, text, bytes);

	if (fails && !journal->has_failed)
		ur_log("guard: audit: cannot write to %s: %m",
		       journal->path[0] ? journal->path : "standard output");
	journal->has_failed = fails;
	return !fails;
}

/* object is one JSON object, "{...}", with at least one member. */
static bool write_object(struct ur_journal *journal, const char *object)
{
	char text[LINE_BYTES];
	int used = put_time(text);

	if (!ur_ration_take(&journal->ration, ur_now_ms()))
		return false;
	used += snprintf(text + used, sizeof(text) - used, ",%s\n", object + 1);
	return write_line(journal, text, used);
}

static void tell_lost(struct ur_journal *journal, const struct ur_audit *audit)
{
	u64 lost = audit->lost + journal->left_out;
	char object[96];

	if (lost == journal->lost)
		return;
	snprintf(object, sizeof(object), "{\"event\":\"lost\",\"count\":%llu}",
		 (unsigned long long)(lost - journal->lost));
	if (write_object(journal, object))
		journal->lost = lost;
}

void ur_journal_drain(struct ur_journal *journal, struct ur_audit *audit)
{
	char object[UR_AUDIT_LINE_BYTES];
	struct ur_audit_record record;

	while (ur_audit_take(audit, &record)) {
		tell_lost(journal, audit);
		ur_audit_line(&record, object);
		if (!write_object(journal, object))
			journal->left_out++;
	}
	tell_lost(journal, audit);
}
