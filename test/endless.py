#!/usr/bin/env python3
"""endless.py BRISE MODEL [TOKENS [PERCENT]] - brise run for a long text: memory does not grow and speed stays (standard library only).

Generates TOKENS tokens (200,000), one a pass. Resident memory near the end is within 64 KB of what it was after the first 1,000.
With PERCENT the last tenth's speed must be within so many percent of the first tenth's: on a machine with nothing else to do.
"""
import fcntl, os, re, subprocess, sys, tempfile, time

from counts import report

F_SETPIPE_SZ = 1031
GROWTH = 64  # KB


def resident(process):
    """KB, exactly: the counter in status may be off by some pages per processor."""
    with open("/proc/%d/smaps_rollup" % process) as f:
        return int(re.search(r"^Rss: *(\d+) kB", f.read(), re.M).group(1))


def main(brise, model, tokens=200000, percent=None):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)  # so that the program is not far ahead
    with tempfile.NamedTemporaryFile("w", suffix=".ids") as prompt:
        prompt.write("1\n")
        prompt.flush()
        child = subprocess.Popen([brise, "run", model, "--prompt-ids", prompt.name, "--print-ids", "-n", str(tokens), "--ignore-eos",
                                  "--no-drafts", "--temperature", "1", "--top-p", "1", "--seed", "15"], stdout=writing)
        os.close(writing)
        tenth, times, n = tokens // 10, [], 0
        with os.fdopen(reading, "rb", buffering=0) as ids:
            while block := ids.read(4096):
                before, n = n, n + block.count(b"\n")
                if before < 1000 <= n:
                    early = resident(child.pid)
                if before < tokens - 3000 <= n:
                    late = resident(child.pid)
                if before == 0 or before // tenth < n // tenth:
                    times.append((time.monotonic(), n))
        status = child.wait()
    speeds = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(times, times[1:])]
    print("%d tokens: %d KB resident after the first 1,000, %d at the end" % (n, early, late))
    print("tokens/s by tenths: " + " ".join("%.0f" % speed for speed in speeds))
    change = 100 * (speeds[-1] / speeds[0] - 1)
    print("the last tenth against the first: %+.1f %%" % change)
    checks = [status == 0 and n == tokens, abs(late - early) <= GROWTH]
    if percent is not None:
        checks.append(abs(change) <= percent)
    return report("endless", sum(checks), len(checks) - sum(checks))


sys.exit(main(*sys.argv[1:3], *[int(tokens) for tokens in sys.argv[3:4]], *[float(percent) for percent in sys.argv[4:5]]))
