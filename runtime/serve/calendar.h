/* calendar.h - a date and time of day (UTC) from seconds since 1970 */
#ifndef SERVE_CALENDAR_H
#define SERVE_CALENDAR_H

#include <stdint.h>

typedef struct calendar {
	unsigned year, month, day; /* month and day from 1 */
	unsigned hour, minute, second;
	unsigned weekday; /* 0: Sunday */
} calendar;

/* seconds from 0 (1970) on, before the year 10000. */
void calendar_read(calendar *c, int64_t seconds);

/* "2026-11-28T20:55:35Z" */
void calendar_write(char text[24], int64_t seconds);

#endif
