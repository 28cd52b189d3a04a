// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "journal.h"
#include "log.h"

#define LINE_BYTES (UR_AUDIT_LINE_BYTES + 64)

/* One line of the ration, if there is one. */
static bool take_line(struct ur_journal *journal)
{
	u64 now = ur_now_ms();

	journal->savings += (now - journal->paid_ms) * UR_JOURNAL_LINES_A_SECOND;
	journal->paid_ms = now;
	if (journal->savings > UR_JOURNAL_SAVINGS * 1000ull)
		journal->savings = UR_JOURNAL_SAVINGS * 1000ull;
	if (journal->savings < 1000)
		return false;
	journal->savings -= 1000;
	return true;
}

int ur_journal_open(struct ur_journal *journal, const char *path)
{
	*journal = (struct ur_journal){
		.path = path,
		.fd = STDOUT_FILENO,
		.savings = UR_JOURNAL_SAVINGS * 1000ull,
		.paid_ms = ur_now_ms(),
	};
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

static void write_line(struct ur_journal *journal, const char *text, int bytes)
{
	bool fails = write(journal->fd, text, bytes) != bytes;

	if (fails && !journal->has_failed)
		ur_log("guard: audit: cannot write to %s: %m",
		       journal->path[0] ? journal->path : "standard output");
	journal->has_failed = fails;
}

/* object is one JSON object, "{...}", with at least one member. */
static void write_object(struct ur_journal *journal, const char *object)
{
	char text[LINE_BYTES];
	int used = put_time(text);

	used += snprintf(text + used, sizeof(text) - used, ",%s\n", object + 1);
	write_line(journal, text, used);
}

static void tell_lost(struct ur_journal *journal, const struct ur_audit *audit)
{
	u64 lost = audit->lost + journal->left_out;
	char object[96];

	if (lost == journal->lost || !take_line(journal))
		return;
	snprintf(object, sizeof(object), "{\"event\":\"lost\",\"count\":%llu}",
		 (unsigned long long)(lost - journal->lost));
	journal->lost = lost;
	write_object(journal, object);
}

void ur_journal_drain(struct ur_journal *journal, struct ur_audit *audit)
{
	char object[UR_AUDIT_LINE_BYTES];
	struct ur_audit_record record;

	while (ur_audit_take(audit, &record)) {
		tell_lost(journal, audit);
		if (!take_line(journal)) {
			journal->left_out++;
			continue;
		}
		ur_audit_line(&record, object);
		write_object(journal, object);
	}
	tell_lost(journal, audit);
}
