#!/usr/bin/env python3
"""readme_serving.py BUILD MODEL - runs every example in what README.md, SERVE.md and GRAMMARS.md say of serving, schemas and batches
(standard library and curl)

MODEL stands for the models that the examples name. A block that no test knows is a failure, so that no example is added without one.
Those of "Past one board" are run by past_one_board.py.
"""
import collections, json, os, re, signal, subprocess, sys, tempfile, time, tomllib

from counts import report
from serving import free_port

build, model = sys.argv[1:3]
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
brise = os.path.abspath(build + "/brise")
counts = collections.Counter()
PATIENCE = 60


def holds(name, condition, detail=""):
    counts["passed" if condition else "failed"] += 1
    if not condition:
        print("FAILED: %s: %s" % (name, detail), file=sys.stderr)


def read_blocks(path, sections=None):
    """[(section, language, text)] of the blocks that are indented or fenced; all sections where none are named."""
    blocks, section, lines, language, is_after_blank = [], "", None, None, True
    with open(os.path.join(root, path)) as f:
        for line in list(f) + ["\n", "end\n"]:
            if language is not None:  # inside a fence
                if line.startswith("```"):
                    blocks.append((section, language, "".join(lines)))
                    lines, language = None, None
                else:
                    lines.append(line)
            elif line.startswith("```"):
                lines, language = [], line[3:].strip()
            elif line.startswith("    ") and (lines or is_after_blank):
                lines = (lines or []) + [line[4:]]
            elif lines:
                blocks.append((section, "", "".join(lines)))
                lines = None
            if language is None and line.startswith("## "):
                section = line[3:].strip()
            is_after_blank = not line.strip()
    return [b for b in blocks if sections is None or b[0] in sections]


class Folder:
    """Where commands are run, with the models that they name."""

    def __init__(self, path):
        self.path = path
        for name in "mistral-7b.brise", "mistral-7b-instruct.brise":
            os.symlink(os.path.abspath(model), path + "/" + name)
        self.environment = {**os.environ, "PATH": os.path.dirname(brise) + ":" + os.environ["PATH"], "HOME": path, "XDG_CACHE_HOME": path + "/cache", "XDG_DATA_HOME": path + "/data"}

    def write(self, name, text):
        with open(self.path + "/" + name, "w") as f:
            f.write(text)

    def read(self, name):
        with open(self.path + "/" + name) as f:
            return f.read()

    def run(self, command, text=""):
        """(status, standard output, standard error)"""
        done = subprocess.run(["sh", "-c", command], cwd=self.path, env=self.environment, input=text, capture_output=True, timeout=PATIENCE, text=True)
        return done.returncode, done.stdout, done.stderr


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


def try_schemas(folder, blocks):
    commands, schema = blocks
    folder.write("captain.json", schema)
    grammar, = (text for section, _, text in read_blocks("runtime/GRAMMARS.md") if section == "GBNF")
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


def try_serving(folder, served, said, curl):
    holds("what it prints", served.said == said, served.said)
    command = re.fullmatch(r"\$ (.*)\n", curl).group(1)
    status, out, err = folder.run(served.here(command))
    reply = json.loads(out or "{}")
    holds(command, reply.get("object") == "chat.completion" and reply["choices"][0]["message"]["role"] == "assistant", (status, out, err))


def try_batches(folder, blocks):
    command, line = re.fullmatch(r"\$ (.*)\n", blocks[0]).group(1), blocks[1]
    folder.write("in.jsonl", line)
    status, out, err = folder.run(command)
    holds(command, status == 0, err)
    reply = json.loads(folder.read("out.jsonl"))
    holds("the line of a batch", reply["custom_id"] == json.loads(line)["custom_id"] and (reply["response"] or {}).get("status_code") == 200, reply)


def try_responses(folder, served, blocks):
    """codex's configuration leads to the server's API."""
    settings = tomllib.loads(served.here(blocks[0]))
    provider = settings["model_providers"][settings["model_provider"]]
    folder.write("body", json.dumps({"model": settings["model"], "input": "Hello", "max_output_tokens": 4}))
    status, out, err = folder.run("curl -sSf %s/%s -d @body" % (provider["base_url"], provider["wire_api"]))
    reply = json.loads(out or "{}")
    holds("codex's configuration", status == 0 and reply.get("object") == "response" and reply["model"] == settings["model"], (out, err))


def try_tokens(folder, served, blocks):
    for line in blocks[0].splitlines():
        body = json.loads(line)
        reply = ask(folder, served, "/tokenize", body)
        holds("/tokenize %s" % line, reply.get("count", 0) > 0 and reply["count"] == len(reply["tokens"]), reply)
        if "content" in body:
            ids = [t["id"] if isinstance(t, dict) else t for t in reply.get("tokens", [])]
            again = ask(folder, served, "/detokenize", {"tokens": ids})
            holds("/detokenize gives the text", again.get("content", "").removeprefix("<s>") == body["content"], (ids, again))


def try_messages(folder, served):
    """Claude Code's environment, which is not a block."""
    with open(os.path.join(root, "runtime/SERVE.md")) as f:
        url, key = re.search(r"`ANTHROPIC_BASE_URL=(\S+)` and\s+`ANTHROPIC_API_KEY=(\S+)`", f.read()).groups()
    folder.write("body", json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}))
    status, out, err = folder.run(served.here("curl -sSf %s/v1/messages -H 'x-api-key: %s' -d @body" % (url, key)))
    holds("Claude Code's environment", status == 0 and json.loads(out)["type"] == "message", (out, err))


def main():
    readme = collections.defaultdict(list)
    for section, _, text in read_blocks("README.md", {"Texts by a schema", "Serving", "Batches"}):
        readme[section].append(text)
    serve = collections.defaultdict(list)
    for section, _, text in read_blocks("runtime/SERVE.md"):
        serve[section].append(text)
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path)
        try_schemas(folder, readme.pop("Texts by a schema"))
        try_batches(folder, readme.pop("Batches"))
        start, curl = readme.pop("Serving")
        command, said = re.fullmatch(r"\$ (.*)\n(.*)\n", start).groups()
        with Served(folder, command) as served:
            try_serving(folder, served, said, curl)
            try_responses(folder, served, serve.pop("POST /v1/responses"))
            try_tokens(folder, served, serve.pop("POST /tokenize, /detokenize"))
            try_messages(folder, served)
            status = served.stop()
        holds("SIGTERM ends the server", status == 0, status)
    holds("every example has a test", not readme and not serve, (dict(readme), dict(serve)))
    return report("readme_serving", counts["passed"], counts["failed"])


sys.exit(main())
