#!/usr/bin/env python3
"""questions.py BRISE FOLDER [--kinds] - asks test/models/breeze-chat's questions of the checkpoint in FOLDER

Converts it to f16 and the types with a codebook, and asks every line of questions.jsonl at temperature 0; --kinds prints how many of each kind
were right. A line has messages, tools among them as text (see make_conversations.py), and one of
    answer   the text that must be answered, no more and no less
    pattern  a regular expression that all of the answer must match
    call     the one call, {"name", "arguments"}, that the answer must be
An answer that does not end at the end token is wrong. Standard library only; works through the command line.
"""
import atexit, collections, json, os, re, shutil, subprocess, sys, tempfile

from counts import report
from digests import BOOK_TYPES

BRISE, MODEL = sys.argv[1], sys.argv[2]
QUESTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models", "breeze-chat", "questions.jsonl")
FOLDER = tempfile.mkdtemp(prefix="brise-questions-")
atexit.register(shutil.rmtree, FOLDER, True)
BOS, EOS = 1, 2
MOST = 200  # tokens of an answer


def brise(*args, **kw):
    done = subprocess.run([BRISE] + [str(a) for a in args], capture_output=True, text=True, **kw)
    if done.returncode:
        sys.exit("brise %s: %s" % (" ".join(map(str, args)), done.stderr))
    return done.stdout


def parse_json(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def pieces(question):
    """What v1 encodes on its own, in order: (text, whether an answer)."""
    found, system = [], ""
    for m in question["messages"]:
        if m["role"] == "system":
            system = m["content"] + "\n\n"
        elif m["role"] == "user":
            found.append(("[INST] %s%s [/INST]" % (system, m["content"]), False))
            system = ""
        else:
            found.append((m["content"], True))
    return found


def prompts(questions):
    """The ids of every question, all texts encoded in one run."""
    parts = [pieces(q) for q in questions]
    texts = "".join(json.dumps(text) + "\n" for part in parts for text, _ in part)
    lines = iter(brise("tokenize", os.path.join(MODEL, "tokenizer.model"), "--jsonl", input=texts).splitlines())
    return [[BOS] + [i for _, answer in part for i in json.loads(next(lines)) + ([EOS] if answer else [])] for part in parts]


def right(question, text):
    if "answer" in question:
        return text == question["answer"]
    if "pattern" in question:
        return re.fullmatch(question["pattern"], text) is not None
    calls = parse_json(text.removeprefix("[TOOL_CALLS] ")) if text.startswith("[TOOL_CALLS] ") else None
    return calls == [question["call"]]


def ask(model, ids):
    """The answer's text, or None if it does not end."""
    path = os.path.join(FOLDER, "ids")
    with open(path, "w") as file:
        file.write(" ".join(map(str, ids)))
    out = [int(i) for i in brise("run", model, "--prompt-ids", path, "--print-ids", "--temperature", 0, "-n", MOST,
                                 "-t", 1).split()]
    if len(out) == MOST:
        return None
    return json.loads(brise("tokenize", os.path.join(MODEL, "tokenizer.model"), "--decode", "--jsonl",
                            input=json.dumps([i for i in out if i != EOS]) + "\n"))


def main():
    with open(QUESTIONS, encoding="utf-8") as file:
        questions = [json.loads(line) for line in file]
    passed = failed = 0
    ids = prompts(questions)
    for kind in ["f16"] + BOOK_TYPES:
        model = os.path.join(FOLDER, kind + ".brise")
        brise("convert", MODEL, model, "--type", kind)
        by_kind = collections.defaultdict(lambda: [0, 0])
        for question, prompt in zip(questions, ids):
            text = ask(model, prompt)
            good = text is not None and right(question, text)
            passed, failed = passed + good, failed + (not good)
            by_kind[question["kind"]][0] += good
            by_kind[question["kind"]][1] += 1
            if not good:
                wanted = question.get("answer", question.get("pattern", question.get("call")))
                print("FAILED: %s: %s: %r answered %r, expected %r" %
                      (kind, question["kind"], question["messages"][-1]["content"], text, wanted), file=sys.stderr)
        if "--kinds" in sys.argv:
            print(kind, " ".join("%s %d/%d" % (k, *n) for k, n in by_kind.items()))
    return report("questions", passed, failed)


sys.exit(main())
