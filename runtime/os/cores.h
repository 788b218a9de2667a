/* cores.h - how many threads this process should run */
#ifndef RUNTIME_CORES_H
#define RUNTIME_CORES_H

#include <stdbool.h>

/* What the system says about the processors a process may use. */
typedef struct cores_facts {
	unsigned allowed;  /* logical processors in the affinity mask */
	unsigned physical; /* cores among them: two hardware threads of one core count once */
	unsigned fast;     /* those of the physical that are not of a slower kind */
	bool described;    /* false: the system does not say which processors are cores */
	/* processors' worth of time that the control group grants, rounded up; 0: unlimited */
	unsigned quota;
	/* min(fast, quota), at least 1: a thread more than that waits or makes others wait */
	unsigned chosen;
} cores_facts;

/* Reads the affinity mask, and sysfs, procfs and control groups below `root` ("" for the system's
 * own). What cannot be read counts as not limiting. */
void cores_read(cores_facts *facts, const char *root);

#endif
