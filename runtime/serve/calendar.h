/* calendar.h - a date and time of day (UTC) from seconds since 1970 */
#ifndef SERVE_CALENDAR_H
#define SERVE_CALENDAR_H

#include <stdint.h>

typedef struct calendar {
	uint16_t year;
	uint8_t month, day; /* from 1 */
	uint8_t hour, minute, second;
	uint8_t weekday; /* 0: Sunday */
} calendar;

#define CALENDAR_TEXT 32

/* seconds from 0 (1970) on, before the year 10000. */
void calendar_read(calendar *c, int64_t seconds);

/* "2026-11-28T20:55:35Z" */
void calendar_write(char text[CALENDAR_TEXT], int64_t seconds);

#endif
