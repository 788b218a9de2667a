#!/usr/bin/env python3
"""serve_hostile.py BUILD MODEL [REQUESTS] - brise serve under REQUESTS (2,000) hostile requests (standard library only)

Every one gets the status that it should, or the connection is closed; the server stays, and healthy clients that ask meanwhile get their
answers, not much later than alone.
"""
import collections, json, random, socket, statistics, sys, threading, time

import http_cases
from counts import report
from serving import Server, is_closed, read_replies, read_reply

build, model = sys.argv[1:3]
total = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
counts = collections.Counter()
lock = threading.Lock()
TIMEOUT = 2  # of the server, in seconds
dice = random.Random(9112)


def check(what, condition, found=""):
    with lock:
        counts["passed" if condition else "failed"] += 1
        if not condition:
            print("FAILED: %s: %s" % (what, str(found)[:300]), file=sys.stderr)


class Healthy(threading.Thread):
    """Clients that keep asking what is right, on connections that stay open."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.seconds, self.wrong, self.going = server, [], 0, True

    def run(self):
        client, rest = self.server.connect(), b""
        while self.going:
            start = time.monotonic()
            try:
                client.sendall(http_cases.GET + http_cases.HOST + b"\r\n")
                status, _, body = read_reply(client)
            except OSError as error:
                status, body = 0, str(error)
            if status != 200 or body != b'{"status":"ok"}':
                self.wrong += 1
                client = self.server.connect()
            self.seconds.append(time.monotonic() - start)
            time.sleep(0.005)
        client.close()


def send_in_pieces(server, request, sizes):
    """The same as ask, the bytes cut anywhere."""
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        try:
            while at < len(request):
                n = sizes()
                client.sendall(request[at:at + n])
                at += n
        except OSError:
            pass
        try:
            return read_reply(client, request.startswith(b"HEAD"))[0]
        except OSError:
            return 0


def cases(server):
    """All cases of the table, whole and cut."""
    n = 0
    for name, request, status in http_cases.all_bad():
        found, fields, body = server.ask(request)
        check(name, found == status and fields.get("connection") == "close" or found == status and status in (404, 405), found)
        if status != 404 and found:
            check(name + ": the reply is JSON", json.loads(body)["error"]["message"] != "" if body else True)
        check(name + ": no line was injected", "x-injected" not in fields)
        if len(request) < 1000:
            found = send_in_pieces(server, request, lambda: dice.randrange(1, 9))
            check(name + ", in pieces", found == status, found)
            n += 1
        n += 1
    for name, request, status in http_cases.good():
        check(name, server.ask(request)[0] == status)
        found = send_in_pieces(server, request, lambda: dice.randrange(1, 9))
        check(name + ", in pieces", found == status, found)
        n += 2
    return n


def mutated(server, n):
    """Requests with bytes changed, dropped and doubled: any status, but never none of them, and never an end."""
    pool = [request for _, request, _ in list(http_cases.all_bad()) + list(http_cases.good()) if len(request) < 1000]
    for _ in range(n):
        request = bytearray(dice.choice(pool))
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(request))
            kind = dice.randrange(3)
            if kind == 0:
                request[at] = dice.choice(b"\r\n :;,\0/%0aAxX\xff\t")
            elif kind == 1:
                del request[at:at + dice.randrange(1, 4)]
            else:
                request[at:at] = request[at:at + dice.randrange(1, 20)]
            if not request:
                request = bytearray(b"\r")
        status, _, _ = server.ask(bytes(request), end=True)
        check("a mutated request is answered: %r" % bytes(request), 200 <= status < 600 or status == 0 and bytes(request).strip(b"\r\n") == b"", status)
        if not server.is_alive():
            return


def injection(server):
    for fields in ("Origin: http://evil.example", "Origin: null", "Origin: http://localhost.evil.example", "Origin: http://localhost:1", "Origin: file://"):
        status, headers, _ = server.get("/v1/models", fields)
        check(fields, status == 403 and "access-control-allow-origin" not in headers, status)
    for host in "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0", "evil.example:80":
        status, _, _ = server.ask(http_cases.GET + b"Host: " + host.encode() + b"\r\n\r\n")
        check("Host: " + host, status == 403, status)
        status, _, _ = server.ask(b"GET http://" + host.encode() + b"/health HTTP/1.1\r\n" + http_cases.HOST + b"\r\n")
        check("target with " + host, status == 403, status)
    own = "http://127.0.0.1:%d" % server.address[1]
    status, _, _ = server.ask(http_cases.GET + b"Host: 127.0.0.1:%d\r\nOrigin: %s\r\n\r\n" % (server.address[1], own.encode()))
    check("its own origin", status == 200, status)


def slow(server):
    """One byte now and then: 408 when the time is over, whatever comes meanwhile."""
    heads = [server.connect() for _ in range(12)]
    bodies = [server.connect() for _ in range(12)]
    silent = [server.connect() for _ in range(6)]
    for client in bodies:
        client.sendall(http_cases.POST + (b"Content-Length: 1000\r\n\r\n" if dice.randrange(2) else b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"))
    start, at = time.monotonic(), 0
    while time.monotonic() - start < TIMEOUT * 0.9:
        for client in heads:
            client.sendall((http_cases.GET + b"X: " + b"a" * 999)[at:at + 1])
        for client in bodies:
            client.sendall(b"a")
        at += 1
        time.sleep(0.05)
    stalled = server.connect()
    stalled.sendall(http_cases.POST + b"Content-Length: 1000000\r\n\r\n" + b"a" * 100000)
    stalls = time.monotonic()
    for client in heads + bodies:
        status, fields, _ = read_reply(client)
        seconds = time.monotonic() - start
        check("a slow client is told so", status == 408 and fields.get("connection") == "close", status)
        check("in time", TIMEOUT * 0.8 < seconds < TIMEOUT + 3, seconds)
        client.close()
    check("a body that stalls", read_reply(stalled)[0] == 408 and time.monotonic() - stalls < TIMEOUT + 3, time.monotonic() - stalls)
    stalled.close()
    for client in silent:
        check("a silent connection is closed without a word", client.recv(1) == b"")
        client.close()


def halves(server):
    """Clients that end their side early."""
    for name, request, expected in (("a whole request", http_cases.GET + http_cases.HOST + b"\r\n", 200), ("half a head", http_cases.GET + b"Ho", 400),
                                    ("half a body", http_cases.POST + b"Content-Length: 9\r\n\r\nabc", 400), ("half a chunk", http_cases.CHUNKS + b"5\r\nabc", 400),
                                    ("no last chunk", http_cases.CHUNKS + b"3\r\nabc\r\n", 400)):
        status, _, _ = server.ask(request, end=True)
        check(name + ", then the end", status == expected, status)
    status, _, _ = server.ask(b"", end=True)
    check("nothing, then the end", status == 0, status)
    for _ in range(30):  # gone at once, with and without a reset
        client = server.connect()
        client.sendall(http_cases.GET + http_cases.HOST + b"\r\n" * dice.randrange(2))
        if dice.randrange(2):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()


def floods(server):
    request = http_cases.GET + http_cases.HOST + b"\r\n"
    with server.connect() as client:
        threading.Thread(target=client.sendall, args=(request * 2000,), daemon=True).start()
        check("2,000 requests in one go are answered", read_replies(client, 2000) == [200] * 2000)
    with server.connect() as client:  # one that never reads
        client.setblocking(False)
        sent, start = 0, time.monotonic()
        try:
            while time.monotonic() - start < 4 * TIMEOUT + 10 and sent < 1 << 28:
                try:
                    sent += client.send(request * 100)
                except BlockingIOError:
                    time.sleep(0.02)
        except OSError:
            pass
        check("a client that does not read is not read from without end", sent < 1 << 26, sent)
        check("and is dropped", time.monotonic() - start < 4 * TIMEOUT + 10, time.monotonic() - start)
    bad = request * 3 + b"GET / HTTP/1.1\n\n" + request * 3
    with server.connect() as client:
        client.sendall(bad)
        statuses = read_replies(client, 10)
        check("nothing is read behind a bad request", statuses == [200, 200, 200, 400], statuses)


def long_bodies(server):
    """Many long bodies that do not end: most are refused, so that memory is bounded."""
    clients = [server.connect() for _ in range(24)]
    data = http_cases.POST + b"Content-Length: 4000000\r\n\r\n" + b"a" * 3900000
    before = server.resident()
    senders = [threading.Thread(target=lambda c=c: swallow(c.sendall, data), daemon=True) for c in clients]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    check("memory for bodies is bounded", server.resident() - before < 60000, server.resident() - before)
    statuses = collections.Counter(swallow(lambda c=c: read_reply(c)[0]) for c in clients)
    check("those beyond it get 503", statuses[503] > 0 and set(statuses) <= {503, 408, None, 0}, statuses)
    for client in clients:
        client.close()


def swallow(call, *arguments):
    """None where the connection was reset."""
    try:
        return call(*arguments)
    except OSError:
        return None


def crowd(server, most):
    """More connections than allowed: the others are told so, and none is forgotten."""
    clients = [server.connect() for _ in range(most + 8)]
    told = 0
    for client in clients[-8:]:
        try:
            status, fields, _ = read_reply(client)
            told += status == 503 and "retry-after" in fields
        except OSError:
            pass
    check("connections beyond the limit get 503 and Retry-After", told >= 4, told)
    for client in clients:
        client.close()
    for _ in range(100):
        if server.get("/health")[0] == 200:
            break
        time.sleep(0.05)
    check("and there is room again", server.get("/health")[0] == 200)


BODIES = {
    "deep arrays": b"[" * 100000, "deep objects": b'{"a":' * 100000, "deep and closed": b'{"messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "no JSON": b"messages", "empty": b"", "half": b'{"messages":[', "two values": b"{}{}", "NUL": b'{"messages":[]}\0', "list": b"[]", "number": b"1", "null": b"null",
    "invalid UTF-8": b'{"messages":[{"role":"user","content":"\xff\xfe"}]}', "overlong UTF-8": b'{"messages":[{"role":"user","content":"\xc0\xaf"}]}',
    "lone surrogate": b'{"messages":[{"role":"user","content":"\\ud800"}],"max_tokens":"x"}', "huge exponent": b'{"messages":[{"role":"user","content":"a"}],"temperature":1e999}',
    "huge integer": b'{"messages":[{"role":"user","content":"a"}],"max_tokens":99999999999999999999999999}', "negative": b'{"messages":[{"role":"user","content":"a"}],"max_tokens":-2}',
    "fraction": b'{"messages":[{"role":"user","content":"a"}],"max_tokens":1.5}', "NaN": b'{"messages":[{"role":"user","content":"a"}],"temperature":NaN}',
    "many digits": b'{"messages":[{"role":"user","content":"a"}],"temperature":' + b"9" * 100000 + b"}", "many answers": b'{"messages":[{"role":"user","content":"a"}],"n":1000000}',
    "bias of no token": b'{"messages":[{"role":"user","content":"a"}],"logit_bias":{"99999999":1}}', "no messages": b"{}", "message is a number": b'{"messages":[1]}',
    "unknown role": b'{"messages":[{"role":"god","content":"a"}]}', "endless stops": b'{"messages":[{"role":"user","content":"a"}],"stop":[' + b'"a",' * 10000 + b'"a"]}',
    "schema of itself": b'{"messages":[{"role":"user","content":"a"}],"max_tokens":1,"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"$ref":"#"}}}}',
}


def bodies(server):
    """What the APIs refuse, each with a message."""
    for path in "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/tokenize":
        if server.post(path, b"[")[0] in (404, 405):
            continue
        for name, body in BODIES.items():
            status, _, reply = server.post(path, body)
            if status == 0:
                check("%s: %s: a reply" % (path, name), False)
                continue
            check("%s: %s" % (path, name), 400 <= status < 500 or status == 200 and (path != "/v1/chat/completions" or name == "schema of itself"), (status, reply))
            if status != 200:
                check("%s: %s: message" % (path, name), bool(json.loads(reply)["error"]["message"]), reply)


def attack(server, most):
    alone = Healthy(server)
    alone.start()
    time.sleep(1)
    alone.going = False
    alone.join()
    with_others = [Healthy(server) for _ in range(2)]
    for healthy in with_others:
        healthy.start()
    done = cases(server)
    injection(server)
    halves(server)
    mutated(server, max(0, total - done - 300))
    bodies(server)
    floods(server)
    early = server.resident()
    slow(server)
    for healthy in with_others:
        healthy.going = False
        healthy.join()
    crowd(server, most)
    long_bodies(server)
    mutated(server, 200)
    # Sanitizers keep what was freed, and malloc may keep a body of 8 MB or two.
    if not build.endswith(("asan", "tsan")):
        check("memory is flat", server.resident() - early < 20480, (early, server.resident()))
    before, after = statistics.median(alone.seconds), statistics.median(with_others[0].seconds + with_others[1].seconds)
    print("healthy clients: %.2f ms alone, %.2f ms among hostile ones (median of %d)" % (1e3 * before, 1e3 * after, sum(len(h.seconds) for h in with_others)))
    check("healthy clients got all their answers", not any(h.wrong for h in with_others), [h.wrong for h in with_others])
    check("healthy clients wait at most twice as long", after < 2 * before + 0.002, (before, after))
    check("the server is there", server.is_alive())
    for line in server.read_log().splitlines():
        if line.startswith("{"):
            json.loads(line)
    status = server.stop()
    check("it ends with status 0", status == 0, (status, server.read_log()[-2000:]))


def main():
    most = 96
    with Server(build + "/brise", model, "--timeout", str(TIMEOUT), "--max-connections", str(most), "--log-format", "json", "--max-body", "4M") as server:
        attack(server, most)
    return report("serve_hostile", counts["passed"], counts["failed"])


sys.exit(main())
