"""Prints tekken.json: a small tokenizer of Mistral's byte-level kind, for tests.

    python3 test/models/tekken/make.py >test/models/tekken/tekken.json

Trained on the project's own documents and headers by byte pair encoding: of all pairs of neighbours
within a part of the text, the one seen most often becomes a token, of equal ones the first by its
bytes. Needs the package regex.
"""

import base64
import collections
import glob
import json

import regex

PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SIZE, CONTROL = 2048, 100
NAMES = """<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS]
[/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX]
[SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]""".split()
NAMES += [f"<SPECIAL_{rank}>" for rank in range(len(NAMES), 32)]
NAMES += "[ARGS] [CALL_ID] [THINK] [/THINK]".split()
# Characters beyond Latin script, so that some have tokens of their own and some are cut into bytes.
OTHERS = "Größe, naïve café – „déjà vu“ … 北京 東京 москва привет \N{GRINNING FACE}\n" * 40


def read_words():
    text = OTHERS
    for path in sorted(glob.glob("*.md") + glob.glob("*/*.md") + glob.glob("runtime/text/*.h")):
        with open(path, encoding="utf-8") as file:
            text += file.read()
    return collections.Counter(regex.findall(PATTERN, text))


def train(words, size):
    tokens = [bytes([byte]) for byte in range(256)]
    parts = {word: [bytes([byte]) for byte in word.encode()] for word in words}
    while len(tokens) < size:
        pairs = collections.Counter()
        for word, symbols in parts.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += words[word]
        most = max(pairs.values())
        left, right = min(pair for pair in pairs if pairs[pair] == most)
        tokens.append(left + right)
        for symbols in parts.values():
            at = 0
            while at + 1 < len(symbols):
                if symbols[at] == left and symbols[at + 1] == right:
                    symbols[at : at + 2] = [left + right]
                at += 1
    return tokens


vocabulary = train(read_words(), SIZE - CONTROL)
assert len(set(vocabulary)) == len(vocabulary)
config = {
    "pattern": PATTERN,
    "num_vocab_tokens": len(vocabulary),
    "default_vocab_size": SIZE,
    "default_num_special_tokens": CONTROL,
    "version": "v13",
}
print('{"config": %s,' % json.dumps(config))
print('"vocab": [')
entries = [
    '{"rank": %d, "token_bytes": "%s"}' % (rank, base64.b64encode(token).decode())
    for rank, token in enumerate(vocabulary)
]
print(",\n".join(entries))
print('],\n"special_tokens": [')
entries = [
    json.dumps({"rank": rank, "token_str": name, "is_control": True})
    for rank, name in enumerate(NAMES)
]
print(",\n".join(entries))
print("]}")
