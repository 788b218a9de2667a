/* disk.h - how fast a model's file can be read */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include "runtime/brise.h"

/* Bytes per second that the file of a model can be read with, past the cache of files, as streamed
 * weights are; measured by reading for up to half a second. What the system has cached of the file
 * stays cached. No engine should be streaming meanwhile. 0: it cannot be told. */
double bench_measure_disk(const brise_model *model);

#endif
