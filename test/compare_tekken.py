#!/usr/bin/python3
"""compare_tekken.py BRISE TEKKEN... - byte-level tokenizers against tiktoken, which Mistral's own library runs

BRISE is the program, each TEKKEN a tekken.json, or one compressed by gzip. Twenty thousand strings, the same every time, are encoded by both: half of them as
for SentencePiece, half of characters drawn by their general category, so that every kind that the pattern knows stands beside every other. What brise
encoded it must decode to the same text. BRISE_NODE_TIKTOKEN is the folder of npm's `tiktoken`.
"""
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

from compare_sentencepiece import make_string
from counts import report

STRINGS = 20000
SHOWN = 5
NODE = """
const { Tiktoken } = require(process.argv[1]);
const fs = require('fs');
const { config, vocab } = JSON.parse(fs.readFileSync(process.argv[2]));
const control = config.default_num_special_tokens, n = config.default_vocab_size - control;
const ranks = vocab.filter(v => v.rank < n).map(v => `${v.token_bytes} ${v.rank}`).join('\\n');
const t = new Tiktoken(ranks, {}, config.pattern);
for (const line of fs.readFileSync(0, 'utf8').split('\\n').filter(l => l))
	console.log(JSON.stringify([...t.encode_ordinary(JSON.parse(line))].map(i => i + control)));
"""


def by_category():
    found = {}
    for c in range(0x110000):
        category = unicodedata.category(chr(c))
        if category != "Cs":
            found.setdefault(category, []).append(chr(c))
    for category in ("Cn", "Co"):
        found[category] = found[category][::1000]
    found["ascii"] = [chr(c) for c in range(128)]
    found["line"] = list("\r\n\r\n /\t")
    return list(found.values())


def make_mixed(rng, categories):
    kinds = [rng.choice(categories) for _ in range(rng.randint(1, 5))]
    return "".join(rng.choice(rng.choice(kinds)) * rng.choice([1, 1, 1, 2, 3]) for _ in range(rng.randint(1, 40)))


def run(command, lines):
    done = subprocess.run(command, input="".join(json.dumps(line) + "\n" for line in lines).encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def main(brise, paths):
    rng = random.Random(20)
    categories = by_category()
    strings = [make_string(rng) if i % 2 else make_mixed(rng, categories) for i in range(STRINGS)]
    strings = [s.encode("utf-8", "replace").decode() for s in strings]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            if path.endswith(".gz"):
                with gzip.open(path) as packed:
                    path = os.path.join(folder, "%d.json" % number)
                    with open(path, "wb") as plain:
                        plain.write(packed.read())
            mine = run([brise, "tokenize", path, "--jsonl"], strings)
            theirs = run(["node", "-e", NODE, os.environ["BRISE_NODE_TIKTOKEN"], path], strings)
            back = run([brise, "tokenize", path, "--jsonl", "--decode"], mine)
            assert len(mine) == len(theirs) == len(back) == STRINGS
            wrong = [(s, a, b, c) for s, a, b, c in zip(strings, mine, theirs, back) if a != b or s != c]
            for s, a, b, c in wrong[:SHOWN]:
                print("%s: %r: %s, tiktoken %s, decoded %r" % (path, s, a, b, c), file=sys.stderr)
            passed += STRINGS - len(wrong)
            failed += len(wrong)
    return report("compare_tekken", passed, failed)


sys.exit(main(sys.argv[1], sys.argv[2:]))
