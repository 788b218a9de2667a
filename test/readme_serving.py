#!/usr/bin/env python3
"""readme_serving.py BUILD MODEL - runs every example in what README.md, SERVE.md and GRAMMARS.md say of serving, schemas and batches
(standard library and curl)

MODEL stands for the models that the examples name.
"""
import json, os, re, signal, subprocess, sys, tempfile, time, tomllib

from examples import PATIENCE, Folder, Statements, examples_of, read_text
from serving import free_port

build, model = sys.argv[1:3]
statements = Statements()
holds = statements.holds


class Served:
    """What brise serve began, as its example has it, on a free port."""

    def __init__(self, folder, command):
        self.place = "127.0.0.1:%d" % free_port()
        self.process = subprocess.Popen(["sh", "-c", "exec %s --port %s" % (command, self.place.rpartition(":")[2])], cwd=folder.path, env=folder.environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.said = self.process.stdout.readline().strip().replace(self.place, "127.0.0.1:8080")
            for _ in range(600):
                if folder.run(self.here("curl -sf http://127.0.0.1:8080/health"))[0] == 0:
                    break
                time.sleep(0.05)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def here(self, text):
        return text.replace("127.0.0.1:8080", self.place)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def ask(folder, served, path, body):
    """The reply's JSON; {} where the status is not 200."""
    folder.write("body", json.dumps(body))
    status, out, err = folder.run(served.here("curl -sSf http://127.0.0.1:8080%s -d @body" % path))
    return json.loads(out) if status == 0 else {"failed": err}


def try_schemas(blocks, folder, grammars):
    (commands, schema), (grammar,) = blocks, grammars
    folder.write("captain.json", schema)
    folder.write("answers.gbnf", grammar)
    run, chat = re.findall(r"^\$ (.*)", commands, re.M)
    status, out, err = folder.run(run + " --seed 1")
    try:
        value = json.loads(out)
    except ValueError:
        value = {}
    holds(run, status == 0 and list(value) == ["name", "age"] and isinstance(value["name"], str) and len(value["name"]) <= 20 and 1 <= value["age"] <= 120, (out, err))
    # Numbers of this grammar may be of any length.
    status, out, err = folder.run(chat + " --seed 1 -n 60", "Yes or no?\n")
    holds(chat, status == 0 and re.fullmatch(r"(yes|no|\d{1,3}(\.\d*)?( (m|km))?)\n*", out), (out, err))


def try_serving(blocks, folder, examples):
    start, curl = blocks
    command, said = re.fullmatch(r"\$ (.*)\n(.*)\n", start).groups()
    with Served(folder, command) as served:
        holds("what it prints", served.said == said, served.said)
        try_curl(curl, folder, served)
        statements.try_section(try_responses, examples.pop(("runtime/SERVE.md", "POST /v1/responses")), folder, served)
        statements.try_section(try_tokens, examples.pop(("runtime/SERVE.md", "POST /tokenize, /detokenize")), folder, served)
        try_messages(folder, served)
        status = served.stop()
    holds("SIGTERM ends the server", status == 0, status)


def try_curl(curl, folder, served):
    command = re.fullmatch(r"\$ (.*)\n", curl).group(1)
    status, out, err = folder.run(served.here(command))
    reply = json.loads(out or "{}")
    holds(command, reply.get("object") == "chat.completion" and reply["choices"][0]["message"]["role"] == "assistant", (status, out, err))


def try_batches(blocks, folder):
    command, line = blocks
    command = re.fullmatch(r"\$ (.*)\n", command).group(1)
    folder.write("in.jsonl", line)
    status, out, err = folder.run(command)
    holds(command, status == 0, err)
    reply = json.loads(folder.read("out.jsonl"))
    holds("the line of a batch", reply["custom_id"] == json.loads(line)["custom_id"] and (reply["response"] or {}).get("status_code") == 200, reply)


def try_responses(blocks, folder, served):
    """codex's configuration leads to the server's API."""
    configuration, = blocks
    settings = tomllib.loads(served.here(configuration))
    provider = settings["model_providers"][settings["model_provider"]]
    folder.write("body", json.dumps({"model": settings["model"], "input": "Hello", "max_output_tokens": 4}))
    status, out, err = folder.run("curl -sSf %s/%s -d @body" % (provider["base_url"], provider["wire_api"]))
    reply = json.loads(out or "{}")
    holds("codex's configuration", status == 0 and reply.get("object") == "response" and reply["model"] == settings["model"], (out, err))


def try_tokens(blocks, folder, served):
    lines, = blocks
    for line in lines.splitlines():
        body = json.loads(line)
        reply = ask(folder, served, "/tokenize", body)
        holds("/tokenize %s" % line, reply.get("count", 0) > 0 and reply["count"] == len(reply["tokens"]), reply)
        if "content" in body:
            ids = [t["id"] if isinstance(t, dict) else t for t in reply.get("tokens", [])]
            again = ask(folder, served, "/detokenize", {"tokens": ids})
            holds("/detokenize gives the text", again.get("content", "").removeprefix("<s>") == body["content"], (ids, again))


def try_messages(folder, served):
    """Claude Code's environment, which is not a block."""
    url, key = re.search(r"`ANTHROPIC_BASE_URL=(\S+)` and\s+`ANTHROPIC_API_KEY=(\S+)`", read_text("runtime/SERVE.md")).groups()
    folder.write("body", json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}))
    status, out, err = folder.run(served.here("curl -sSf %s/v1/messages -H 'x-api-key: %s' -d @body" % (url, key)))
    holds("Claude Code's environment", status == 0 and json.loads(out)["type"] == "message", (out, err))


def main():
    examples = examples_of("readme_serving")
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path, build)
        for name in "mistral-7b.brise", "mistral-7b-instruct.brise":
            os.symlink(os.path.abspath(model), path + "/" + name)
        statements.try_section(try_schemas, examples.pop(("README.md", "Texts by a schema")), folder, examples.pop(("runtime/GRAMMARS.md", "GBNF")))
        statements.try_section(try_batches, examples.pop(("README.md", "Batches")), folder)
        statements.try_section(try_serving, examples.pop(("README.md", "Serving")), folder, examples)
    holds("every section has a test", not examples, examples)
    return statements.report("readme_serving")


sys.exit(main())
