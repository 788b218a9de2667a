#!/usr/bin/env python3
"""serve_load.py - many clients at once, some of which leave: everybody else gets the answer that a
single client gets, memory does not grow, and a server without requests takes no processor time

usage: serve_load.py BRISE MODEL [--connections 64] [--requests 2000] [--sanitized]

Requests are of all APIs, with and without schemas, grammars and tools (load_cases.py): MODEL has a
format of conversations with tokens for tools (clients/calling_model.py makes one). --sanitized:
memory is not measured, which a sanitizer's own tables dominate, and there is less of what is slow
with it. Standard library only.
"""
import argparse
import collections
import http.client
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from load_cases import can_stream, make_cases, read_answer, with_stream
from serving import Server

passed = failed = 0


def holds(name, condition, detail=""):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {name}: {detail}", file=sys.stderr)


class Client:
    """One connection, which is kept, and opened again after leaving."""

    def __init__(self, address, seed):
        self.address = address
        self.random = random.Random(seed)
        self.connection = None

    def ask(self, case, streams):
        """What the answer says; None where the client left. Waits where the queue is full."""
        path, body = case
        streams = streams and can_stream(path)
        body = json.dumps(with_stream(path, body) if streams else body)
        leaves = self.random.random() < 0.1
        while True:
            self.connection = self.connection or http.client.HTTPConnection(*self.address, timeout=300)
            if leaves:
                return self.leave(path, body, streams)
            self.connection.request("POST", path, body, {"Content-Type": "application/json"})
            reply = self.connection.getresponse()
            text = reply.read().decode()
            if reply.status == 503:
                time.sleep(0.05)
                continue
            if reply.status != 200:
                raise ValueError(f"status {reply.status}: {text}")
            return read_answer(path, streams, text)

    def leave(self, path, body, streams):
        """While the request is sent, while it waits or runs, or while its answer streams."""
        how = self.random.randrange(4)
        sent = len(body) // 2 if how == 0 else len(body)
        self.connection.request("POST", path, body[:sent], {"Content-Type": "application/json", "Content-Length": str(len(body))})
        if streams and how > 1:
            self.connection.getresponse().read(self.random.randrange(1, 600))
        else:
            time.sleep(self.random.random() * 0.1)
        if self.random.random() < 0.3:  # with a reset
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()
        return None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def run(server, cases, alone, n_connections, n_requests):
    """Number of answers, of clients that left, and what was wrong."""
    lock, turn = threading.Lock(), iter(range(n_requests))
    answers, left, wrong = [0], [0], []

    def work(seed):
        client = Client(server.address, seed)
        while True:
            with lock:
                i = next(turn, None)
            if i is None:
                break
            k, streams = i % len(cases), i // len(cases) % 2 == 1
            try:
                got = client.ask(cases[k], streams)
            except Exception as error:
                client.close()
                wrong.append(f"request {i}: {error!r}")
                continue
            with lock:
                left[0] += got is None
                answers[0] += got is not None
                if got is not None and got != alone[k]:
                    wrong.append(f"request {i}, {cases[k]}, streams {streams}: {got}, alone {alone[k]}")
        client.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(n_connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers[0], left[0], wrong


def print_kinds(answers):
    """So that it is seen that there are calls and ends of all kinds."""
    choices = [choice for answer in answers for choice in answer if isinstance(choice, dict) and "end" in choice]
    ends = collections.Counter(str(choice["end"]) for choice in choices)
    holds("some answers are calls", any(choice["calls"] for choice in choices))
    print(f"{len(choices)} choices of {len(answers)} requests, {sum(len(c['calls']) for c in choices)} calls; " + ", ".join(f"{n} {end}" for end, n in ends.items()))


def processor_ns(pid):
    """Of all threads, from the scheduler's own figures."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def read_gauge(server, name):
    text = server.get("/metrics")[2].decode()
    return int(next(line for line in text.splitlines() if line.startswith(f"brise_{name} ")).split()[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("brise")
    parser.add_argument("model")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--sanitized", action="store_true")
    options = parser.parse_args()
    seconds = 3 if options.sanitized else 10
    # Room for all, so that nobody spends the time on asking again.
    limits = ("--max-connections", str(options.connections + 16), "--queue", str(4 * options.connections))
    with Server(options.brise, options.model, *limits) as server:
        cases = make_cases()
        single = Client(server.address, 0)
        single.random.random = lambda: 1  # never leaves
        alone = [single.ask(case, False) for case in cases]
        print_kinds(alone)
        if not options.sanitized:
            differ = [case for case, whole in zip(cases, alone) if single.ask(case, True) != whole]
            holds("a stream says the same", not differ, differ)
            run(server, cases, alone, options.connections, options.requests // 4)  # after which memory is flat
        single.close()
        before = server.resident()
        answers, left, wrong = run(server, cases, alone, options.connections, options.requests)
        after = server.resident()
        holds("every answer is that of a single client", not wrong, f"{len(wrong)} of {answers}: {wrong[:3]}")
        holds("some left, most did not", 0 < left < options.requests // 5 and answers + left + len(wrong) == options.requests,
              f"{answers} answers, {left} left")
        for _ in range(100):
            if read_gauge(server, "jobs_running") + read_gauge(server, "jobs_waiting") == 0:
                break
            time.sleep(0.1)
        holds("nothing runs on for those that left", read_gauge(server, "jobs_running") + read_gauge(server, "jobs_waiting") == 0)
        if not options.sanitized:
            holds("memory is flat", after - before < 1024, f"{before} KB before, {after} KB after {options.requests} requests")
        time.sleep(0.5)
        begin = processor_ns(server.process.pid)
        time.sleep(seconds)
        idle = processor_ns(server.process.pid) - begin
        holds("idle takes less than 0.1 % of a processor", idle < seconds * 1e6, f"{idle / 1e6:.1f} ms in {seconds} s")
        print(f"{answers} answers, {left} clients left; memory {before} to {after} KB; idle {idle / 1e6:.2f} ms in {seconds} s")
        status = server.stop()
        holds("it ends as asked", status == 0, f"status {status}: {server.read_log()[-2000:]}")
    print(f"serve_load: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
