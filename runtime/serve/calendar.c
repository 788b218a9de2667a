/* calendar.c - a date from days since 1970: years that begin in March have their leap day last */
#include "runtime/serve/calendar.h"

#include <stdio.h>

#define DAYS_400_YEARS 146097u
#define DAYS_TO_1970   719468u               /* from 1 March of the year 0 */
#define LAST_SECOND    INT64_C(253402300799) /* of the year 9999 */

void calendar_read(calendar *c, int64_t seconds)
{
	uint32_t second, days, era, in_era, year, in_year, month;

	if (seconds < 0 || seconds > LAST_SECOND)
		seconds = 0;
	second = (uint32_t)(seconds % 86400);
	days = (uint32_t)(seconds / 86400);
	c->weekday = (uint8_t)((days + 4) % 7); /* 1 January 1970 was a Thursday */
	days += DAYS_TO_1970;
	era = days / DAYS_400_YEARS;
	in_era = days % DAYS_400_YEARS;
	/* Without the leap days of 4, 100 and 400 years. */
	year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	in_year = in_era - (365 * year + year / 4 - year / 100);
	month = (5 * in_year + 2) / 153; /* 0: March; five months have 153 days */
	c->day = (uint8_t)(in_year - (153 * month + 2) / 5 + 1);
	c->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
	c->year = (uint16_t)(400 * era + year + (c->month <= 2));
	c->hour = (uint8_t)(second / 3600);
	c->minute = (uint8_t)(second / 60 % 60);
	c->second = (uint8_t)(second % 60);
}

void calendar_write(char text[CALENDAR_TEXT], int64_t seconds)
{
	calendar c;

	calendar_read(&c, seconds);
	(void)snprintf(text, CALENDAR_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", c.year, c.month,
	               c.day, c.hour, c.minute, c.second);
}
