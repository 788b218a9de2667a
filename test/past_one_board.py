#!/usr/bin/env python3
"""past_one_board.py BUILD MODEL - README's "Past one board", tried: nginx in front of two servers of which one is killed, GNU parallel and
an array of jobs over brise batch (standard library; nginx-light and parallel where they are)

The configuration and the commands are those of README.md; only addresses, ports and ssh are those of this machine, and nginx waits
one second instead of five.
"""
import collections, concurrent.futures, http.client, json, os, shutil, signal, socket, subprocess, sys, tempfile, time

from counts import report
from examples import examples_of, read_commands
from serving import Server

build, model = sys.argv[1:3]
brise = os.path.abspath(build + "/brise")
path = os.path.dirname(brise) + ":" + os.environ["PATH"] + ":/usr/sbin"
counts = collections.Counter()
N_REQUESTS, N_CLIENTS, PATIENCE = 240, 24, 60

HTTP = """
daemon off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log crit;
events { worker_connections 256; }
http {
	access_log off; client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
	%(site)s
}
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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(port, *options):
    return Server(brise, model, "--no-page", *options, "--port", str(port))


class Broken(Exception):
    """A stream that had begun."""


def ask(port, i, streams):
    """The text that request i gives. Other exceptions than Broken: it was lost."""
    body = {"prompt": "The wind", "max_tokens": 40, "seed": i, "temperature": 1, "stream": streams, "ignore_eos": True}
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


def try_nginx(nginx, folder, site):
    ports, front = [free_port(), free_port()], free_port()
    for i, port in enumerate(ports):
        site = site.replace("192.168.1.1%d:8080" % (i + 1), "127.0.0.1:%d" % port)
    site = site.replace("listen 8080;", "listen 127.0.0.1:%d;" % front).replace("fail_timeout=5s", "fail_timeout=1s")
    with open(folder + "/conf", "w") as conf:
        conf.write(HTTP % {"dir": folder, "site": site})
    servers = [start(ports[0], "--parallel", "1", "--queue", "1"), start(ports[1])]
    child = subprocess.Popen([nginx, "-c", folder + "/conf", "-p", folder, "-e", folder + "/error.log"])
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", front), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            texts = list(pool.map(lambda i: outcome(front, i, False, [])[1], range(32)))
        holds("what one server's full queue refuses goes to the other", all(texts), texts)
        alone = {i: ask(ports[1], i, False) for i in range(40)}
        servers[0].stop()
        servers[0] = start(ports[0])
        time.sleep(1.1)  # fail_timeout
        load_and_kill(front, servers[0], alone)
        servers[0].process.wait()
        servers[0] = start(ports[0])
        for _ in range(80):
            ask(front, 0, False)
            if "POST /v1/completions" in servers[0].read_log():
                break
            time.sleep(0.1)
        holds("a server that is back is asked again", "POST /v1/completions" in servers[0].read_log(), servers[0].read_log())
        for server in servers:
            server.stop()
        connection = http.client.HTTPConnection("127.0.0.1", front, timeout=PATIENCE)
        connection.request("GET", "/v1/models")
        reply = connection.getresponse()
        holds("without any server the client is told to come back", (reply.status, reply.headers["Retry-After"]) == (503, "5"), (reply.status, reply.headers))
        connection.close()
    finally:
        child.terminate()
        child.wait()
        for server in servers:
            if server.is_alive():
                server.stop(signal.SIGKILL)


def outcome(port, i, streams, begun):
    """(when it began, the text or None, what went wrong)"""
    began = time.monotonic()
    begun.append(began)
    try:
        return began, ask(port, i, streams), None
    except Exception as wrong:
        return began, None, wrong


def load_and_kill(front, server, alone):
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
    holds("the server that is killed was asked", "POST /v1/completions" in log, log)
    holds("no request is lost but streams", not lost, lost[:3])
    holds("only streams break that had begun before", all(r[2] < killed for r in broken) and len(broken) <= N_CLIENTS // 2, broken)
    wrong = [r for r in results if r[4] is None and r[3] != alone[r[0]]]
    holds("every answer is that of a single server", not wrong, wrong[:3])
    print("%d requests, %d of them before one of two servers was killed; %d streams broken, %d requests lost" % (len(results), before, len(broken), len(lost)))


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
    nginx = shutil.which("nginx", path=path)
    (site, commands, script), = examples_of("past_one_board").values()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        if nginx:
            try_nginx(nginx, folder, site)
        else:
            skip("nginx over two servers", "nginx is not installed")
        try_jobs(folder, commands, script)
    return report("past_one_board", counts["passed"], counts["failed"], counts["skipped"])


sys.exit(main())
