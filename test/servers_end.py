#!/usr/bin/env python3
"""servers_end.py BUILD MODEL [CLIENTS] - tests of brise serve that are ended in the middle leave no server running (standard library only)

The program that they start is a script that notes its process and becomes brise; nginx and HAProxy likewise, where they are. Each test is
ended by SIGTERM, which its with blocks see as an exception, when it has started so many of them. CLIENTS is the folder with
test/clients and what it needs; without it, and without Node.js, the tests for these are skipped.
"""
import collections, os, shutil, signal, subprocess, sys, tempfile, time

from counts import report

build, model = (os.path.abspath(argument) for argument in sys.argv[1:3])
clients = sys.argv[3] if len(sys.argv) > 3 else None
here = os.path.dirname(os.path.abspath(__file__))
counts = collections.Counter()
PATIENCE = 60
NOTE = '#!/bin/sh\n[ "$2" = --help ] || case $0 in *brise) [ "$1" = serve ] ;; esac && echo $$ >>%s\nexec %s "$@"\n'


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def runs(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def try_ending(folder, command, n, tries=3):
    """Ends a test when it has started so many programs; again if it was over before the signal came."""
    notes, name = folder + "/notes", "%s, ended when it has started %d" % (os.path.relpath(command[1], here), n)
    open(notes, "w").close()

    def started():
        with open(notes) as f:
            return [int(line) for line in f.read().split("\n")[:-1]]

    with open(folder + "/output", "w+") as output:
        test = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "TMPDIR": folder})
        is_there = wait_for(lambda: len(started()) >= n or test.poll() is not None) and test.poll() is None
        if command[0] == sys.executable:
            time.sleep(0.03)  # until Popen has returned there; readme_serving.py ends within 0.3 s
        test.send_signal(signal.SIGTERM)
        try:
            test.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            test.kill()
            test.wait()
            is_there = False
        output.seek(0)
        said = output.read()
    if test.returncode == 0 and tries > 1:
        return try_ending(folder, command, n, tries - 1)
    left = [pid for pid in started() if not wait_for(lambda: not runs(pid), 5)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    counts["passed" if is_there and not left and test.returncode else "failed"] += 1
    if not is_there or left or not test.returncode:
        print("FAILED: %s: status %s, %d left running: %s" % (name, test.returncode, len(left), said[-1000:]), file=sys.stderr)


def skip(name, reason):
    counts["skipped"] += 1
    print("skipped: %s: %s" % (name, reason), file=sys.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(build + "/page", folder + "/page")
        for name, program in ("brise", build + "/brise"), *((name, shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")) for name in ("nginx", "haproxy")):
            if program:
                with open(folder + "/" + name, "w") as f:
                    f.write(NOTE % (folder + "/notes", program))
                os.chmod(folder + "/" + name, 0o755)
        for name, n in ("serve_http", 4), ("serve_hostile", 1), ("readme_serving", 1), ("serve_load", 1), ("compare_nginx", 2), ("past_one_board", 3):
            if name == "compare_nginx" and not os.path.exists(folder + "/nginx"):
                skip(name, "nginx is not installed")
                continue
            program = folder + ("/brise" if name == "serve_load" else "")
            try_ending(folder, [sys.executable, "%s/%s.py" % (here, name), program, model] + [folder + "/nginx"] * (name == "compare_nginx"), n)
        if not shutil.which("node"):
            return skip("tests in JavaScript", "Node.js is not installed")
        os.environ.pop("PAGE_MODULES", None)
        try_ending(folder, ["node", here + "/page/run.mjs", folder], 1)
        if not clients:
            return skip("clients/run.mjs", "no folder of clients was given")
        try_ending(folder, ["node", clients + "/run.mjs", folder + "/brise", model, model], 1)


main()
sys.exit(report("servers_end", counts["passed"], counts["failed"], counts["skipped"]))
