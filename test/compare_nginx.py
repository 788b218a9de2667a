#!/usr/bin/env python3
"""compare_nginx.py BUILD MODEL [NGINX] - what nginx refuses, brise serve refuses (standard library and Debian's nginx-light)

nginx reads whole requests, bodies included, before it passes them on to a server of this test, which takes everything. Every request of
test/http_cases.py goes to both, and 600 that are changed at random; where nginx answers with an error of its own or closes the
connection, brise must not take the request.
"""
import collections, concurrent.futures, http.server, os, random, shutil, socket, sys, tempfile, threading

import http_cases
from counts import report
from serving import Server, free_port, read_reply, running, wait_for_port

build, model = sys.argv[1:3]
nginx = sys.argv[3] if len(sys.argv) > 3 else shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"])
counts = collections.Counter()

CONFIG = """
daemon off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log crit;
events { worker_connections 256; }
http {
	access_log off; client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
	ignore_invalid_headers off; client_header_timeout 3s; client_body_timeout 3s; client_max_body_size 4m;
	server { listen 127.0.0.1:%(port)d; location / { proxy_pass http://127.0.0.1:%(upstream)d; } }
}
"""


class Everything(http.server.BaseHTTPRequestHandler):
    """Takes all requests."""

    def take(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = take

    def log_message(self, *_):
        pass


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, *_):
        pass


def ask(address, request):
    """The status of the first reply, 408 where a request is not whole; 0: closed without one."""
    with socket.create_connection(address, 20) as client:
        try:
            client.sendall(request)
        except OSError:
            pass
        try:
            return read_reply(client, request.startswith(b"HEAD"))[0]
        except OSError:
            return 0
        except AttributeError:  # a reply without a head, as HTTP/0.9 has it
            return 9


def main():
    if not nginx:
        return report("compare_nginx", 0, 1)
    upstream = Upstream(("127.0.0.1", 0), Everything)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        port = free_port()
        with open(folder + "/conf", "w") as conf:
            conf.write(CONFIG % {"dir": folder, "port": port, "upstream": upstream.server_address[1]})
        with running([nginx, "-c", folder + "/conf", "-p", folder, "-e", folder + "/error.log"]):
            wait_for_port(port)
            with Server(build + "/brise", model, "--timeout", "3", "--log-format", "none", "--max-body", "4M") as server:
                compare(("127.0.0.1", port), server.address)
    return report("compare_nginx", counts["passed"], counts["failed"])


def is_taken(status):
    """404, 405 and 403 mean that it was read and understood."""
    return status in (200, 204, 403, 404, 405)


def compare(theirs, ours):
    dice = random.Random(1122)
    table = [(name, request) for name, request, _ in http_cases.all_bad()]
    fine = [(name, request) for name, request, _ in http_cases.good()]
    short = [request for _, request in table + fine if len(request) < 400]
    changed = []
    for i in range(600):
        request = bytearray(dice.choice(short))
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(request))
            if dice.randrange(2):
                request[at] = dice.choice(b"\r\n :;,\0/%0aAxX\xff\t")
            else:
                request[at:at] = dice.choice([b"\r", b"\n", b" ", b"\r\n", b"0", b":", bytes(request[at:at + 9])])
        changed.append(("changed %r" % bytes(request), bytes(request)))
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        everything = [(name, request, False) for name, request in table + changed] + [(name, request, True) for name, request in fine]
        answers = list(pool.map(lambda case: (ask(theirs, case[1]), ask(ours, case[1])), everything))
    strict = 0
    for (name, _, is_fine), (nginx_status, status) in zip(everything, answers):
        strict += is_taken(nginx_status) and not is_taken(status)
        holds = is_taken(nginx_status) and is_taken(status) if is_fine else is_taken(nginx_status) or not is_taken(status)
        counts["passed" if holds else "failed"] += 1
        if not holds:
            print("FAILED: nginx %s, brise %s: %s" % (nginx_status, status, name[:200]), file=sys.stderr)
    print("%d requests; brise refuses %d that nginx takes" % (len(everything), strict))


sys.exit(main())
