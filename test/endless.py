#!/usr/bin/env python3
"""endless.py BUILD MODEL [TOKENS [PERCENT]] - long texts: memory does not grow and speed stays (standard library only).

Three texts, one token a pass: TOKENS tokens (200,000) from brise run, and half as many from BUILD/test/print_stream, for each of two
far positions. Resident memory near the end is within 64 KB of what it was after the first 1,000.
With PERCENT the last tenth's speed must be within so many percent of the first tenth's, and the texts are generated one after another:
on a machine with nothing else to do.
One thread, and speed by processor time, so that others count less.
"""
import concurrent.futures, fcntl, os, re, subprocess, sys, tempfile

from counts import report

F_SETPIPE_SZ = 1031
GROWTH = 64  # KB
STARTS = 10000000, 2**40


def resident(process):
    """KB, exactly: the counter in status may be off by some pages per processor."""
    with open("/proc/%d/smaps_rollup" % process) as f:
        return int(re.search(r"^Rss: *(\d+) kB", f.read(), re.M).group(1))


def processor_time(process):
    with open("/proc/%d/stat" % process) as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def measure(command, tokens):
    """Status of a command that prints so many ids, how many it printed, and [(tokens, seconds, KB)] at eleven points of the text."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)  # so that the program is not far ahead
    child = subprocess.Popen(command, stdout=writing)
    os.close(writing)
    # The first 1,000 tokens are not measured, and at the end the program must still be there.
    points = [1000 + k * (tokens - 4000) // 10 for k in range(11)]
    measured, n = [], 0
    with os.fdopen(reading, "rb", buffering=0) as ids:
        while block := ids.read(4096):
            n += block.count(b"\n")
            if len(measured) < len(points) and n >= points[len(measured)]:
                measured.append((n, processor_time(child.pid), resident(child.pid)))
    return child.wait(), n, measured


def check(name, tokens, result, percent):
    """What must hold of a text, as [bool]."""
    status, n, measured = result
    if status != 0 or n != tokens:
        print("%s: status %d after %d of %d tokens" % (name, status, n, tokens))
        return [False]
    speeds = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(measured, measured[1:])]
    early, late = measured[0][2], measured[-1][2]
    change = 100 * (speeds[-1] / speeds[0] - 1)
    print("%s, %d tokens: %d KB resident after the first 1,000, %d at the end" % (name, n, early, late))
    print("tokens per second of the processor, by tenths: " + " ".join("%.0f" % speed for speed in speeds))
    print("the last tenth against the first: %+.1f %%" % change)
    return [abs(late - early) <= GROWTH] + ([] if percent is None else [abs(change) <= percent])


def main(build, model, tokens=200000, percent=None):
    with tempfile.NamedTemporaryFile("w", suffix=".ids") as prompt:
        prompt.write("1\n")
        prompt.flush()
        texts = [("from position 0", tokens, [build + "/brise", "run", model, "--prompt-ids", prompt.name, "--print-ids", "-n", str(tokens), "--ignore-eos",
                  "--no-drafts", "--threads", "1", "--temperature", "1", "--top-p", "1", "--seed", "15"])]
        texts += [("from position %d" % start, tokens // 2, [build + "/test/print_stream", model, str(start), str(tokens // 2)]) for start in STARTS]
        checks = []
        with concurrent.futures.ThreadPoolExecutor(1 if percent is not None else os.cpu_count()) as pool:
            for (name, n, _), result in zip(texts, pool.map(lambda text: measure(text[2], text[1]), texts)):
                checks += check(name, n, result, percent)
    return report("endless", sum(checks), len(checks) - sum(checks))


sys.exit(main(*sys.argv[1:3], *[int(tokens) for tokens in sys.argv[3:4]], *[float(percent) for percent in sys.argv[4:5]]))
