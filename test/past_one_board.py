#!/usr/bin/env python3
"""past_one_board.py BUILD MODEL - runtime/BOARDS.md, tried: nginx and HAProxy in front of two servers of which one is killed, GNU parallel
and an array of jobs over brise batch (standard library; nginx-light, haproxy and parallel where they are)

The configurations and the commands are those of the document; only addresses, ports and ssh are those of this machine, and nginx and HAProxy
pass over a server for a shorter time.
"""
import collections, concurrent.futures, http.client, json, os, shutil, subprocess, sys, tempfile, time

from counts import report
from examples import examples_of, read_commands
from serving import Server, free_port, running, wait_for_port

build, model = sys.argv[1:3]
brise = os.path.abspath(build + "/brise")
path = os.path.dirname(brise) + ":" + os.environ["PATH"] + ":/usr/sbin"
counts = collections.Counter()
N_REQUESTS, N_CLIENTS, PATIENCE = 240, 24, 60

# Its workers are root's where the test is: they write longer requests to the test's folder, which may be in one that only root enters.
NGINX = """
%(user)sdaemon off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log crit;
events { worker_connections 256; }
http {
	access_log off; client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
	%(site)s
}
"""

# What is in Debian's haproxy.cfg, without its log, user and folder.
HAPROXY = """
global
	maxconn 256
defaults
	mode http
	timeout connect 5000
	timeout client 50000
	timeout server 50000
%s
"""

# What parallel starts instead of ssh: HOST -- COMMAND, on this machine. As sshd does, it sets the shell that parallel then uses.
SSH = '#!/bin/sh\necho "$1" >>"$HOME/hosts"\nshift\nexport SHELL=/bin/sh\n[ "$1" != -- ] || shift\nexec sh -c "$*"\n'


def holds(name, condition, detail=""):
    counts["passed" if condition else "failed"] += 1
    if not condition:
        print("FAILED: %s: %s" % (name, detail), file=sys.stderr)


def skip(name, why):
    counts["skipped"] += 1
    print("skipped: %s: %s" % (name, why), file=sys.stderr)


def start(port, *options):
    return Server(brise, model, "--no-page", *options, "--port", str(port))


class Broken(Exception):
    """A stream that had begun."""


def ask(port, i, streams):
    """The text that request i gives, every third of them as long as those of agents. Other exceptions than Broken: it was lost."""
    body = {"prompt": "The wind", "max_tokens": 40, "seed": i, "temperature": 1, "stream": streams, "ignore_eos": True, "user": "u" * (100000 if i % 3 == 0 else 9)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        if reply.status != 200:
            raise ValueError("status %d" % reply.status)
        if not streams:
            return json.loads(reply.read())["choices"][0]["text"]
        try:
            events = reply.read().decode().split("\n\n")
        except (http.client.HTTPException, OSError):
            raise Broken()
        if events[-2:] != ["data: [DONE]", ""]:
            raise Broken()
        return "".join(json.loads(e.removeprefix("data: "))["choices"][0]["text"] for e in events[:-2])
    finally:
        connection.close()


def read_config(name, text, ports, *changes):
    """The document's block, for the addresses of this test."""
    changes += tuple(("192.168.1.1%d:8080" % (i + 1), "127.0.0.1:%d" % port) for i, port in enumerate(ports))
    for old, new in changes:
        holds("%s: there is %s" % (name, old), old in text)
        text = text.replace(old, new)
    return text


def try_nginx(program, folder, config):
    ports, front = [free_port(), free_port()], free_port()
    site = read_config("nginx", config, ports, ("listen 8080;", "listen 127.0.0.1:%d;" % front), ("fail_timeout=5s", "fail_timeout=1s"))
    with open(folder + "/nginx.conf", "w") as conf:
        conf.write(NGINX % {"dir": folder, "site": site, "user": "user root; " if os.geteuid() == 0 else ""})
    try_proxy("nginx", [program, "-c", folder + "/nginx.conf", "-p", folder, "-e", folder + "/error.log"], ports, front)


def try_haproxy(program, folder, config):
    ports, front = [free_port(), free_port()], free_port()
    listen = read_config("haproxy", config, ports, ("bind :8080", "bind 127.0.0.1:%d" % front), ("inter 2s", "inter 200ms"))
    with open(folder + "/haproxy.cfg", "w") as conf:
        conf.write(HAPROXY % listen)
    checked = subprocess.run([program, "-c", "-f", folder + "/haproxy.cfg"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    holds("haproxy takes its configuration without a warning", checked.returncode == 0 and "WARNING" not in checked.stdout + checked.stderr, checked)
    try_proxy("haproxy", [program, "-db", "-f", folder + "/haproxy.cfg"], ports, front)


def try_proxy(name, command, ports, front):
    with start(ports[1]) as other, start(ports[0], "--parallel", "1", "--queue", "1") as server:
        with running(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            wait_for_port(front)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                results = list(pool.map(lambda i: outcome(front, i, False, []), range(32)))
            holds(name + ": what one server's full queue refuses goes to the other", all(r[1] for r in results), results)
            holds(name + ": and it has refused some", " 503 " in server.read_log(), server.read_log())
            holds(name + ": a stream passes as it is written", passes_at_once(front))
            alone = {i: ask(ports[1], i, False) for i in range(40)}
            server.stop()
            with start(ports[0]) as server:
                holds(name + ": a server that is back is asked again", is_asked(front, server), server.read_log())
                load_and_kill(name, front, server, alone)
            with start(ports[0]) as server:
                holds(name + ": one that was killed, too", is_asked(front, server), server.read_log())
            other.stop()
            connection = http.client.HTTPConnection("127.0.0.1", front, timeout=PATIENCE)
            connection.request("GET", "/v1/models")
            reply = connection.getresponse()
            holds(name + ": without any server the client is told to come back", (reply.status, reply.headers["Retry-After"]) == (503, "5"), (reply.status, reply.headers))
            connection.close()


def passes_at_once(front):
    """Whether a part of a stream comes while the server still writes: it would not end."""
    connection = http.client.HTTPConnection("127.0.0.1", front, timeout=PATIENCE)
    connection.request("POST", "/v1/completions", json.dumps({"prompt": "The", "max_tokens": 1000000, "stream": True, "ignore_eos": True}), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    first = reply.readline()
    connection.close()
    return first.startswith(b"data: {")


def is_asked(front, server):
    """Whether requests get to the server within some seconds."""
    for _ in range(80):
        ask(front, 0, False)
        if "POST /v1/completions" in server.read_log():
            return True
        time.sleep(0.1)
    return False


def outcome(port, i, streams, begun):
    """(when it began, the text or None, what went wrong)"""
    began = time.monotonic()
    begun.append(began)
    try:
        return began, ask(port, i, streams), None
    except Exception as wrong:
        return began, None, wrong


def load_and_kill(name, front, server, alone):
    begun, killed = [], None
    with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
        tasks = [pool.submit(outcome, front, i % len(alone), i % 2 == 1, begun) for i in range(N_REQUESTS)]
        while len(begun) < N_REQUESTS // 3:
            time.sleep(0.002)
        killed = time.monotonic()
        server.process.kill()
        results = [(i % len(alone), i % 2 == 1, *task.result()) for i, task in enumerate(tasks)]
    log = server.read_log()
    broken = [r for r in results if isinstance(r[4], Broken)]
    lost = [r for r in results if r[4] and not isinstance(r[4], Broken)]
    before = sum(r[2] < killed for r in results)
    holds(name + ": the server that is killed was asked", "POST /v1/completions" in log, log)
    holds(name + ": no request is lost but streams", not lost, lost[:3])
    holds(name + ": only streams break that had begun before", all(r[2] < killed for r in broken) and len(broken) <= N_CLIENTS // 2, broken)
    wrong = [r for r in results if r[4] is None and r[3] != alone[r[0]]]
    holds(name + ": every answer is that of a single server", not wrong, wrong[:3])
    print("%s: %d requests, %d of them before one of two servers was killed; %d streams broken, %d requests lost" % (name, len(results), before, len(broken), len(lost)))


def run(command, folder, **environment):
    return subprocess.run(["sh", "-c", command], cwd=folder, env={**os.environ, "PATH": path, "HOME": folder, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, text=True)


def read_texts(*names):
    """{custom_id: text}, and how many replies there are"""
    replies = [json.loads(line) for name in names for line in open(name)]
    return {r["custom_id"]: r["response"]["body"]["choices"][0]["text"] for r in replies}, len(replies)


def try_jobs(folder, commands, script):
    split, parallel, join = (command for command, _ in read_commands(commands))
    with open(folder + "/in.jsonl", "w") as f:
        for i in range(12):
            f.write(json.dumps({"custom_id": "r%d" % i, "method": "POST", "url": "/v1/completions", "body": {"prompt": "The wind", "max_tokens": 12, "seed": i}}) + "\n")
    os.symlink(os.path.abspath(model), folder + "/mistral-7b-instruct.brise")
    with open(folder + "/ssh", "w") as f:
        f.write(SSH)
    os.chmod(folder + "/ssh", 0o755)
    one = run("brise batch mistral-7b-instruct.brise in.jsonl one.out", folder)
    whole, _ = read_texts(folder + "/one.out")
    holds("one batch is the whole", one.returncode == 0 and len(whole) == 12, one.stdout)
    done = run(split, folder)
    holds("the requests are split", done.returncode == 0, done.stdout)
    holds("the script is one for sbatch", script.startswith("#!/bin/sh\n#SBATCH"), script)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = list(pool.map(lambda i: run(script, folder, SLURM_ARRAY_TASK_ID=i), "01"))
    names = [folder + "/part.0%d.out" % i for i in range(2)]
    holds("an array of two jobs gives the same replies", read_texts(*names) == (whole, 12), [j.stdout for j in jobs])
    if not shutil.which("parallel"):
        return skip("GNU parallel", "parallel is not installed")
    for name in names:
        os.remove(name)
    done = run(parallel, folder, PARALLEL_SSH=folder + "/ssh")
    joined = run(join, folder)
    holds("parallel ends", done.returncode == 0 and joined.returncode == 0, "status %d, %r" % (done.returncode, done.stdout + joined.stdout))
    holds("two jobs of parallel give the same replies", read_texts(folder + "/out.jsonl") == (whole, 12), done.stdout)
    holds("each host had one", sorted(open(folder + "/hosts").read().split()) == ["board1", "board2"], open(folder + "/hosts").read())


def main():
    (nginx, haproxy, commands, script), = examples_of("past_one_board").values()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, attempt, config in ("nginx", try_nginx, nginx), ("haproxy", try_haproxy, haproxy):
            program = shutil.which(name, path=path)
            if program:
                attempt(program, folder, config)
            else:
                skip(name + " over two servers", "it is not installed")
        try_jobs(folder, commands, script)
    return report("past_one_board", counts["passed"], counts["failed"], counts["skipped"])


sys.exit(main())
