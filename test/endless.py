#!/usr/bin/env python3
"""endless.py BRISE MODEL [TOKENS [PERCENT]] - brise run for a long text: memory does not grow and speed stays (standard library only).

Generates TOKENS tokens (200,000), one a pass. Resident memory near the end is within 64 KB of what it was after the first 1,000.
With PERCENT the last tenth's speed must be within so many percent of the first tenth's: on a machine with nothing else to do.
One thread, and speed by processor time, so that others count less.
"""
import fcntl, os, re, subprocess, sys, tempfile, time

from counts import report

F_SETPIPE_SZ = 1031
GROWTH = 64  # KB


def resident(process):
    """KB, exactly: the counter in status may be off by some pages per processor."""
    with open("/proc/%d/smaps_rollup" % process) as f:
        return int(re.search(r"^Rss: *(\d+) kB", f.read(), re.M).group(1))


def processor_time(process):
    with open("/proc/%d/stat" % process) as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def main(brise, model, tokens=200000, percent=None):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)  # so that the program is not far ahead
    with tempfile.NamedTemporaryFile("w", suffix=".ids") as prompt:
        prompt.write("1\n")
        prompt.flush()
        child = subprocess.Popen([brise, "run", model, "--prompt-ids", prompt.name, "--print-ids", "-n", str(tokens), "--ignore-eos",
                                  "--no-drafts", "--threads", "1", "--temperature", "1", "--top-p", "1", "--seed", "15"], stdout=writing)
        os.close(writing)
        # The first 1,000 tokens are not measured, and at the end the program must still be there.
        points = [1000 + k * (tokens - 4000) // 10 for k in range(11)]
        measured, n = [], 0  # tokens, seconds, KB
        with os.fdopen(reading, "rb", buffering=0) as ids:
            while block := ids.read(4096):
                n += block.count(b"\n")
                if len(measured) < len(points) and n >= points[len(measured)]:
                    measured.append((n, processor_time(child.pid), resident(child.pid)))
        status = child.wait()
    speeds = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(measured, measured[1:])]
    early, late = measured[0][2], measured[-1][2]
    print("%d tokens: %d KB resident after the first 1,000, %d at the end" % (n, early, late))
    print("tokens per second of the processor, by tenths: " + " ".join("%.0f" % speed for speed in speeds))
    change = 100 * (speeds[-1] / speeds[0] - 1)
    print("the last tenth against the first: %+.1f %%" % change)
    checks = [status == 0 and n == tokens, abs(late - early) <= GROWTH]
    if percent is not None:
        checks.append(abs(change) <= percent)
    return report("endless", sum(checks), len(checks) - sum(checks))


sys.exit(main(*sys.argv[1:3], *[int(tokens) for tokens in sys.argv[3:4]], *[float(percent) for percent in sys.argv[4:5]]))
