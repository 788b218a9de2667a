#!/usr/bin/env python3
"""serve_http.py BUILD MODEL - brise serve as its clients see it below the APIs (standard library only)

Keys, origins, where it listens, connections that are kept, clients that leave or do not read, how it ends, and what it costs while
nobody asks.
"""
import collections, json, os, re, select, shutil, signal, socket, subprocess, sys, tempfile, threading, time

import http_cases
from counts import report
from serving import Server, is_closed, read_one, read_replies, read_reply, running

build, model = sys.argv[1:3]
brise = build + "/brise"
counts = collections.Counter()
CHAT = {"messages": [{"role": "user", "content": "Count"}], "temperature": 0, "seed": 1}


def check(what, condition, found=""):
    counts["passed" if condition else "failed"] += 1
    if not condition:
        print("FAILED: %s: %s" % (what, str(found)[:400]), file=sys.stderr)


def skip(what, reason):
    counts["skipped"] += 1
    print("skipped: %s: %s" % (what, reason), file=sys.stderr)


def post(path, body):
    body = json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (path.encode(), http_cases.HOST, len(body)) + body


def endless(**more):
    """A request whose answer does not end on its own; by the completions API, since any model continues a text."""
    return post("/v1/completions", {"prompt": "Count", "max_tokens": 100000, "ignore_eos": True, "stream": True, **more})


def begin_stream(server):
    """A connection on which an answer has begun."""
    client = server.connect()
    client.sendall(endless())
    data = b""
    while data.count(b"\n\n") < 3:
        data += client.recv(65536)
    return client


def gauge(server, name):
    return int(re.search(r"^brise_%s (\d+)$" % name, server.get("/metrics")[2].decode(), re.M).group(1))


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    check(what, condition())


def about(server):
    for path in "/health", "/v1/models", "/models", "/props", "/metrics":
        status, fields, body = server.get(path)
        check(path, status == 200 and body, status)
        head = server.ask(("HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path).encode())
        check(path + ": HEAD", head[0] == 200 and head[2] == b"" and (path == "/metrics" or head[1]["content-length"] == fields["content-length"]), head)
    models = json.loads(server.get("/v1/models")[2])
    name = models["data"][0]["id"]
    check("the model's name", name == "some-name", name)
    check("a model", json.loads(server.get("/v1/models/" + name)[2])["id"] == name)
    check("another model", server.get("/v1/models/x" + name)[0] == 404)
    status, fields, body = server.get("/nothing")
    check("404 as JSON", status == 404 and json.loads(body)["error"]["type"] == "not_found_error", body)
    status, fields, _ = server.ask(b"PUT /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    check("405 with Allow", status == 405 and fields["allow"] == "GET, HEAD, OPTIONS", fields)
    status, fields, body = server.ask(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
    check("OPTIONS *", status == 204 and "POST" in fields["allow"], fields)
    status, fields, _ = server.ask(b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n")
    check("no CORS unless asked", status == 204 and not any(f.startswith("access-control") for f in fields), fields)
    promtool = shutil.which("promtool")
    if not promtool:
        skip("/metrics", "promtool is not installed")
    else:
        server.post("/v1/completions", json.dumps({"prompt": "a", "max_tokens": 2}))
        checked = subprocess.run([promtool, "check", "metrics"], input=server.get("/metrics")[2], capture_output=True)
        check("/metrics passes promtool", checked.returncode == 0 and not checked.stderr, checked.stderr)


def kept(server):
    """Connections that are kept, or not."""
    get = http_cases.GET + http_cases.HOST
    with server.connect() as client:
        for _ in range(5):
            client.sendall(get + b"\r\n")
            check("a connection is kept", read_reply(client)[0] == 200)
        client.sendall(get + b"Connection: close\r\n\r\n")
        status, fields, _ = read_reply(client)
        check("until it is to be closed", status == 200 and fields["connection"] == "close" and is_closed(client), fields)
    with server.connect() as client:
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        status, fields, _ = read_reply(client)
        check("HTTP/1.0 closes", status == 200 and is_closed(client), fields)
    with server.connect() as client:
        client.sendall(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
        check("HTTP/1.0 keeps on demand", read_replies(client, 2) == [200, 200])
    with server.connect() as client:  # the body waits for 100 Continue
        body = json.dumps({"prompt": "a", "max_tokens": 2}).encode()
        client.sendall(b"POST /v1/completions HTTP/1.1\r\n%sContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (http_cases.HOST, len(body)))
        check("100 Continue", client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(body)
        check("and the reply", read_reply(client)[0] == 200)
    with server.connect() as client:  # pipelined requests that take time keep their order
        client.sendall(b"".join(post("/v1/completions", {"prompt": "a", "max_tokens": 1 + i % 3}) for i in range(6)) + get + b"\r\n")
        data, tokens = b"", []
        for _ in range(6):
            status, _, body, data = read_one(client, False, data)
            tokens.append(json.loads(body)["usage"]["completion_tokens"])
        check("replies come in order", tokens == [1, 2, 3, 1, 2, 3], tokens)
        check("the last one, too", read_one(client, False, data)[2] == b'{"status":"ok"}')
    with server.connect() as client:
        chunked = b"POST /v1/completions HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n" % http_cases.HOST
        client.sendall(chunked + b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n")
        check("a body in chunks", read_reply(client)[0] == 200)
    with server.connect() as client:
        client.sendall(post("/v1/completions", {"prompt": "a", "max_tokens": 3, "stream": True}).replace(b"HTTP/1.1", b"HTTP/1.0"))
        status, fields, body = read_reply(client)
        check("a stream in HTTP/1.0 ends with the connection", status == 200 and "transfer-encoding" not in fields and body.endswith(b"data: [DONE]\n\n"), (fields, body[-100:]))


def leaving(server):
    """A client that goes away frees its place."""
    for how in "closes", "resets", "ends its side":
        client = begin_stream(server)
        check("an answer runs", gauge(server, "jobs_running") == 1)
        if how == "resets":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "ends its side":
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        wait_for("a client that %s frees its place" % how, lambda: gauge(server, "jobs_running") == 0)
        client.close()
    client = server.connect()  # one whose answer does not stream
    client.sendall(endless(stream=False))
    wait_for("an answer that does not stream runs", lambda: gauge(server, "jobs_running") == 1)
    client.close()
    wait_for("its client goes, and frees its place", lambda: gauge(server, "jobs_running") == 0)
    client = server.connect()  # one that has sent more than is read while its answer is drawn
    client.sendall(endless(stream=False) + (http_cases.GET + http_cases.HOST + b"\r\n") * 1000)
    wait_for("an answer with requests behind it runs", lambda: gauge(server, "jobs_running") == 1)
    client.shutdown(socket.SHUT_WR)
    wait_for("its client ends its side, and frees its place", lambda: gauge(server, "jobs_running") == 0)
    client.close()
    client = socket.socket()  # one that does not read
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(server.address)
    client.sendall(endless())
    wait_for("an answer for a client that does not read runs", lambda: gauge(server, "jobs_running") == 1)
    wait_for("the client is dropped", lambda: gauge(server, "jobs_running") == 0, 60)
    client.close()


def long_pieces(server):
    """A stream whose first events repeat the megabytes of its request."""
    with server.connect() as client:
        client.sendall(post("/v1/responses", {"input": "Hi", "instructions": "word " * 450000, "stream": True}))
        data = b""
        while b"event: response.in_progress" not in data and (more := client.recv(1 << 20)):
            data += more
        check("a long request's stream begins", b"event: response.in_progress" in data, (len(data), data[:200]))


def idle(server):
    """Nobody asks, some are connected: no processor time."""
    clients = [server.connect() for _ in range(10)]
    for client in clients:
        client.sendall(http_cases.GET + http_cases.HOST + b"\r\n")
        read_reply(client)
    time.sleep(1)
    before, start = server.processor_time(), time.monotonic()
    time.sleep(10)
    used = (server.processor_time() - before) / (time.monotonic() - start)
    print("idle with 10 connections: %.3f %% of a processor" % (100 * used))
    check("idle takes less than 0.1 % of a processor", used <= 0.001, used)
    for client in clients:
        client.close()


def keys():
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as file:
        file.write("# a comment\n\nfrom-the-file\r\nanother-key\n")
        file.flush()
        server = Server(brise, model, "--api-key", "key-number-one", "--api-key", "key-number-two", "--api-key-file", file.name, "--log-format", "json", "--cors", "https://a.example",
                        "--allow-host", "b.example", "--no-page")
    with server:
        for key in "key-number-one", "key-number-two", "from-the-file", "another-key":
            check("Bearer " + key, server.get("/v1/models", "Authorization: Bearer " + key)[0] == 200)
            check("x-api-key: " + key, server.get("/v1/models", "x-api-key: " + key)[0] == 200)
        for field in "X: y", "Authorization: Bearer", "Authorization: Bearer wrong", "Authorization: Basic key-number-one", "x-api-key: key-number-on", "x-api-key: key-number-onex", "Authorization: Bearer # a comment":
            status, fields, body = server.get("/v1/models", field)
            check(field, status == 401 and fields["www-authenticate"] == "Bearer" and json.loads(body)["error"]["type"] == "authentication_error", (status, body))
        check("an unknown path needs a key, too", server.get("/nothing")[0] == 401)
        check("/health needs none", server.get("/health")[0] == 200)
        check("--no-page", server.get("/", "x-api-key: another-key")[0] == 404)
        status, fields, _ = server.get("/health", "Origin: https://a.example")
        check("an origin that was allowed", status == 200 and fields["access-control-allow-origin"] == "https://a.example" and fields["vary"] == "Origin", fields)
        status, fields, _ = server.get("/v1/models", "Origin: https://a.example")
        check("may read that it needs a key", status == 401 and fields["access-control-allow-origin"] == "https://a.example", fields)
        status, fields, _ = server.ask(b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"
                                       b"Access-Control-Request-Headers: authorization, content-type\r\n\r\n")
        check("may ask before", status == 204 and "POST" in fields["access-control-allow-methods"] and fields["access-control-allow-headers"] == "authorization, content-type", fields)
        check("another origin may not", server.get("/health", "Origin: https://b.example")[0] == 403)
        check("a further name", server.ask(http_cases.GET + b"Host: b.example\r\n\r\n")[0] == 200)
        server.get("/v1/models?secret=1", "Authorization: Bearer key-number-two")
        secret = json.dumps({"prompt": "a secret prompt", "max_tokens": 2})
        server.post("/v1/completions", secret, "x-api-key: from-the-file")
        check("it ends", server.stop() == 0)
        log = server.read_log()
        lines = [json.loads(line) for line in log.splitlines()]
        check("a line says which key", any(line.get("key") == 2 and line["path"] == "/v1/models" and line["status"] == 200 for line in lines))
        check("and how many tokens", any(line["path"] == "/v1/completions" and line.get("answer_tokens") == 2 and line["prompt_tokens"] > 1 for line in lines), lines[-2:])
        check("and neither keys nor queries nor prompts", not re.search("key-number|secret|from-the", log), log)


def places():
    """Where it listens."""
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/socket"
        with Server(brise, model, "--unix", path) as server:
            check("--unix says where", server.place == "unix:" + path, server.place)
            check("--unix", server.get("/health", "X: y")[0] == 200)
            check("any Host there", server.ask(http_cases.GET + b"Host: any.example\r\n\r\n")[0] == 200)
            second = subprocess.run([brise, "serve", model, "--unix", path], capture_output=True, text=True)
            check("a path in use", second.returncode == 1 and "another program listens there" in second.stderr, second.stderr)
            check("stays", server.get("/health")[0] == 200)
            server.kill()
        check("a killed server leaves its socket", os.path.exists(path))
        with Server(brise, model, "--unix", path) as server:
            check("which the next one replaces", server.get("/health")[0] == 200)
            check("and removes when it ends", server.stop() == 0 and not os.path.exists(path))
        open(path, "w").close()
        second = subprocess.run([brise, "serve", model, "--unix", path], capture_output=True, text=True)
        check("a file is not replaced", second.returncode == 1 and os.path.exists(path), second.stderr)
    with Server(brise, model) as server:
        second = subprocess.run([brise, "serve", model, "--port", str(server.address[1])], capture_output=True, text=True)
        check("a port in use", second.returncode == 1 and "another program listens there" in second.stderr and second.stderr.count("\n") == 1, second.stderr)
    for host, address in ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1"):
        try:
            everywhere = Server(brise, model, "--host", host)
        except RuntimeError as e:
            skip("listening at " + host, e)
            continue
        with everywhere as server:
            server.address = address, server.address[1]
            statuses = [server.ask(http_cases.GET + b"Host: " + name + b"\r\n\r\n")[0] for name in (b"localhost", b"evil.example")]
            check("at %s, a foreign name that leads to %s" % (host, address), statuses == [200, 403], statuses)
    for options, expected in ((("--host", "example.org"), "expected an address"), (("--host", "192.0.2.1"), "no such address"), (("--port", "65536"), "65535"), (("--api-key", "short"), "at least 8"),
                              (("--cors", "example.org"), "an origin such as"), (("--api-key-file", "/dev/null"), "holds no key"), (("--max-body", "x"), "expected a size"), (("--cache", "/proc/none"), "folder for cached prompts cannot be made"), (("--cache", "/dev/null"), "no folder")):
        second = subprocess.run([brise, "serve", model, *options], capture_output=True, text=True)
        check(" ".join(options), second.returncode in (1, 2) and expected in second.stderr and second.stderr.count("\n") == 1, second.stderr)
    listener = socket.create_server(("127.0.0.1", 0))
    # The shell gives the socket the number 3 and puts its own process, which becomes brise, into LISTEN_PID.
    command = ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&%d' % listener.fileno(), brise, "serve", model, "--no-cache"]
    with listener, running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=(listener.fileno(),), text=True) as child:
        check("an inherited socket", child.stdout.readline() == "http://127.0.0.1:%d\n" % listener.getsockname()[1])
        with socket.create_connection(listener.getsockname(), 20) as client:
            client.sendall(http_cases.GET + b"Host: evil.example\r\n\r\n" + http_cases.GET + http_cases.HOST + b"\r\n")
            check("is a loopback address like others", read_one(client)[0] == 403)
        child.terminate()
        check("and ends", child.wait(30) == 0)
    inherit = ("import os, sys; [os.dup2(int(sys.argv[1]), 3 + i) for i in range(8)]; os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])\n"
               "os.execv(sys.argv[3], sys.argv[3:])")
    for count, options, expected in (("8", ("--port", "0"), "at most 8 places"), ("9", (), "at most 8 sockets"), ("9999999999999999999", (), "at most 8 sockets")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            child = subprocess.run([sys.executable, "-c", inherit, str(listener.fileno()), count, brise, "serve", model, "--no-cache", *options], capture_output=True, text=True,
                                   pass_fds=(listener.fileno(),), timeout=60)
        check("LISTEN_FDS=%s %s" % (count, " ".join(options)), child.returncode == 1 and expected in child.stderr and child.stderr.count("\n") == 1, (child.returncode, child.stderr))


def crowded():
    """Connections that wait for their next request keep nobody out; those that are asked for something stay."""
    with Server(brise, model, "--max-connections", "3") as server:
        kept_open = [server.connect() for _ in range(3)]
        for client in kept_open:
            client.sendall(http_cases.GET + http_cases.HOST + b"\r\n")
            check("an idle connection", read_one(client)[0] == 200)
            time.sleep(0.02)
        kept_open[0].sendall(endless())
        check("an answer runs on the first", b"200 OK" in kept_open[0].recv(65536))
        status, _, _ = server.get("/health")
        check("the longest idle one makes room for another", status == 200 and is_closed(kept_open[1]), status)
        check("the others stay", not is_closed(kept_open[2], 0.2) and kept_open[0].recv(65536))
        for client in kept_open:
            client.close()


def endings():
    """SIGTERM lets answers end, the time of grace does not wait for those that do not."""
    with Server(brise, model, "--grace", "20") as server:
        with server.connect() as streaming, server.connect() as waiting:
            streaming.sendall(post("/v1/completions", {"prompt": "Count", "max_tokens": 400, "ignore_eos": True, "stream": True}))
            streaming.recv(1)
            server.process.send_signal(signal.SIGTERM)
            check("an idle connection is closed at once", is_closed(waiting))
            data = b""
            while more := streaming.recv(65536):
                data += more
            check("an answer ends as it should", b"data: [DONE]" in data and data.endswith(b"0\r\n\r\n"), data[-200:])
        try:
            server.connect(1).close()
            check("it listens no more", False)
        except OSError:
            check("it listens no more", True)
        status = server.process.wait(30)
        check("status 0", status == 0, (status, server.read_log()[-2000:]))
    with Server(brise, model, "--grace", "0.5") as server, begin_stream(server):
        start = time.monotonic()
        check("the time of grace ends", server.stop() == 0 and time.monotonic() - start < 5, time.monotonic() - start)
    for first, second in (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM):
        with Server(brise, model, "--grace", "600") as server, begin_stream(server):
            server.process.send_signal(first)
            time.sleep(0.3)
            check("it waits for the answer", server.is_alive())
            start = time.monotonic()
            server.stop(second)
            check("a second signal ends it at once", time.monotonic() - start < 3, time.monotonic() - start)


def long_texts():
    """While a long text is encoded, others are answered; its client may leave."""
    text = "Count the words of this text, please. " * 40000
    messages = [{"role": "user", "content": text}]
    refused = {"logit_bias": {"99999999": 1}, "stream": True, "max_tokens": 1}  # after the text has been encoded
    cases = (("/tokenize", {"content": text}, 200), ("/tokenize", {"messages": messages}, 200), ("/v1/completions", {"prompt": text, **refused}, 400), ("/v1/chat/completions", {"messages": messages, **refused}, 400),
             ("/v1/messages", {"messages": messages, **refused}, 400), ("/v1/messages/count_tokens", {"messages": messages}, 200), ("/v1/responses", {"input": text, **refused}, 400),
             ("/v1/responses/input_tokens", {"input": text}, 200))
    with Server(brise, model) as server:
        for path, body, expected in cases:
            with server.connect(100) as client, server.connect(100) as other:
                client.sendall(post(path, body))
                answers = 0
                while not select.select([client], [], [], 0)[0]:
                    other.sendall(http_cases.GET + http_cases.HOST + b"\r\n")
                    answers += read_reply(other)[0] == 200
                status, _, data = read_reply(client)
                check("%s of a long text" % path, status == expected, (status, data[-300:]))
                check("%s keeps nobody waiting" % path, answers >= 5, answers)
        for path, body, _ in *cases, ("/v1/embeddings", {"input": text}, 0):
            for pause in 0, 0.02, 0.1:
                with server.connect() as client:
                    client.sendall(post(path, body))
                    time.sleep(pause)
        health = server.ask(http_cases.GET + http_cases.HOST + b"\r\n", timeout=100)
        check("clients that left are forgotten", health[0] == 200 and server.is_alive(), server.read_log()[-2000:])
    with Server(brise, model) as server:
        clients = [server.connect() for _ in cases]
        for client, (path, body, _) in zip(clients, cases):
            client.sendall(post(path, body))
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(100)  # by the second signal where both came apart
        check("it can end meanwhile", status in (0, -signal.SIGTERM), (status, server.read_log()[-2000:]))
        for client in clients:
            client.close()


def ask_from(server, address, body):
    client = socket.socket()
    client.settimeout(60)
    client.bind((address, 0))
    client.connect(server.address)
    client.sendall(post("/v1/completions", body))
    return client


def turns():
    """Clients with many requests neither keep others waiting nor out: those at other addresses, and other connections of the same."""
    greedy = []
    with Server(brise, model, "--parallel", "1", "--queue", "8") as server:
        for n in 1, 8:
            greedy.append(ask_from(server, "127.0.0.1", {"prompt": "Count", "max_tokens": 1000, "ignore_eos": True, "n": n}))
            wait_for("an answer has begun", lambda: gauge(server, "jobs_running") == 1)
        wait_for("the queue is full", lambda: gauge(server, "jobs_waiting") == 8)
        check("for this client", read_reply(ask_from(server, "127.0.0.1", {"prompt": "Count", "max_tokens": 1}))[0] == 503)
        try:
            other = ask_from(server, "127.0.0.2", {"prompt": "Count", "max_tokens": 1})
        except OSError as e:
            skip("clients at two addresses", e)
        else:
            check("another client is answered", read_reply(other)[0] == 200)
            check("before those that waited", gauge(server, "jobs_waiting") >= 6, gauge(server, "jobs_waiting"))
        greedy.pop(0).close()
        wait_for("there is room", lambda: gauge(server, "jobs_waiting") < 8)
        check("another connection is answered", read_reply(ask_from(server, "127.0.0.1", {"prompt": "Count", "max_tokens": 1}))[0] == 200)
        check("before those that waited on the first", gauge(server, "jobs_waiting") >= 4, gauge(server, "jobs_waiting"))
        greedy.pop().close()


def main():
    with Server(brise, model, "--alias", "some-name", "--timeout", "3") as server:
        for part in about, kept, leaving, long_pieces, idle:
            part(server)
            check("the server is there", server.is_alive(), server.read_log()[-2000:])
        server.stop()
    for part in keys, turns, long_texts, places, crowded, endings:
        part()
    return report("serve_http", counts["passed"], counts["failed"], counts["skipped"])


sys.exit(main())
