#!/usr/bin/env python3
"""serve_load.py - many clients at once, some of which leave: everybody else gets the answer that a
single client gets, memory does not grow, and a server without requests takes no processor time

usage: serve_load.py BRISE MODEL [--connections 64] [--requests 2000] [--sanitized]

MODEL needs no format of conversations. --sanitized: memory is not measured, which a sanitizer's
own tables dominate. Standard library only.
"""
import argparse
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Server

PROMPTS = ["The", "Once upon a time", "In the beginning", "She said that", "A list of colours: red,", "1, 2, 3,",
           "The weather in the mountains is", "He walked along the river until"]
passed = failed = 0


def holds(name, condition, detail=""):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {name}: {detail}", file=sys.stderr)


def make_cases():
    """Bodies of completions, every one of them short."""
    cases = []
    for i in range(40):
        case = {"prompt": PROMPTS[i % len(PROMPTS)], "max_tokens": 4 + i % 9, "seed": i, "temperature": [0, 0.8, 1.2][i % 3]}
        if i % 5 == 0:
            case["n"] = 2
        if i % 7 == 0:
            case["stop"] = ["e"]
        if i % 11 == 0:
            case["frequency_penalty"] = 0.5
        if i % 6 == 0:
            case["logprobs"] = 2
        cases.append(case)
    return cases


def read_stream(text):
    """The choices that a whole reply would have had."""
    choices = {}
    events = text.split("\n\n")
    if events[-2:] != ["data: [DONE]", ""]:
        raise ValueError("the stream has no end: ..." + text[-100:])
    for event in events[:-2]:
        for choice in json.loads(event.removeprefix("data: "))["choices"]:
            whole = choices.setdefault(choice["index"], {"text": "", "finish_reason": None, "logprobs": []})
            whole["text"] += choice["text"]
            whole["finish_reason"] = choice["finish_reason"] or whole["finish_reason"]
            if choice["logprobs"]:
                whole["logprobs"] += choice["logprobs"]["token_logprobs"]
    return [choices[i] for i in sorted(choices)]


def read_whole(text):
    return [{"text": c["text"], "finish_reason": c["finish_reason"], "logprobs": c["logprobs"]["token_logprobs"] if c["logprobs"] else []}
            for c in json.loads(text)["choices"]]


class Client:
    """One connection, which is kept, and opened again after leaving."""

    def __init__(self, address, seed):
        self.address = address
        self.random = random.Random(seed)
        self.connection = None

    def ask(self, case, streams):
        """The choices; None where the client left. Waits where the queue is full."""
        body = json.dumps({**case, "stream": streams})
        leaves = self.random.random() < 0.1
        while True:
            self.connection = self.connection or http.client.HTTPConnection(*self.address, timeout=300)
            self.connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
            if leaves:
                return self.leave(streams)
            reply = self.connection.getresponse()
            text = reply.read().decode()
            if reply.status == 503:
                time.sleep(0.05)
                continue
            if reply.status != 200:
                raise ValueError(f"status {reply.status}: {text}")
            return read_stream(text) if streams else read_whole(text)

    def leave(self, streams):
        if streams and self.random.random() < 0.5:
            self.connection.getresponse().read(self.random.randrange(1, 200))
        else:
            time.sleep(self.random.random() * 0.1)
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
                    wrong.append(f"request {i}, case {k}: {got}, alone {alone[k]}")
        client.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(n_connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers[0], left[0], wrong


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
    server = Server(options.brise, options.model, "--max-connections", str(options.connections + 16))
    try:
        cases = make_cases()
        single = Client(server.address, 0)
        single.random.random = lambda: 1  # never leaves
        alone = [single.ask(case, False) for case in cases]
        holds("a stream has the same text", all(single.ask(case, True) == whole for case, whole in zip(cases, alone)))
        single.close()
        run(server, cases, alone, options.connections, options.requests // 4)
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
        time.sleep(10)
        idle = processor_ns(server.process.pid) - begin
        holds("idle takes less than 0.1 % of a processor", idle < 10e6, f"{idle / 1e6:.1f} ms in 10 s")
        print(f"{answers} answers, {left} clients left; memory {before} to {after} KB; idle {idle / 1e6:.2f} ms in 10 s")
        status = server.stop()
        holds("it ends as asked", status == 0, f"status {status}: {server.read_log()[-2000:]}")
    finally:
        if server.is_alive():
            server.process.kill()
    print(f"serve_load: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
