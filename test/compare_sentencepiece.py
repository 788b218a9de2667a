#!/usr/bin/python3
"""compare_sentencepiece.py BRISE MODEL... - brise's tokenizer against Google's SentencePiece, both directions

BRISE is the program, each MODEL a SentencePiece tokenizer.model. Ten thousand strings, the same every time, are encoded by both, and their ids,
as well as ids drawn at random, decoded by both. Needs Python's sentencepiece; `make test` does without it.
"""
import json
import random
import subprocess
import sys

from counts import report

STRINGS = 10000
SHOWN = 5  # differences printed per model and direction

RANGES = {
    "ascii": [(0x20, 0x7e)],
    "latin": [(0x20, 0x7e), (0xa0, 0x24f)],
    "greek and cyrillic": [(0x370, 0x3ff), (0x400, 0x4ff), (0x20, 0x20)],
    "hebrew and arabic": [(0x590, 0x5ff), (0x600, 0x6ff), (0x20, 0x20)],
    "indic and thai": [(0x900, 0x97f), (0xe00, 0xe7f)],
    "cjk": [(0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3)],
    "emoji": [(0x1f300, 0x1faff), (0x200d, 0x200d), (0xfe0f, 0xfe0f), (0x1f3fb, 0x1f3ff)],
    "combining": [(0x61, 0x7a), (0x300, 0x36f), (0x1ab0, 0x1aff)],
    "control": [(0x00, 0x1f), (0x7f, 0x9f), (0x200b, 0x200f), (0x2028, 0x202e), (0x20, 0x20)],
    "spaces": [(0x20, 0x20), (0x09, 0x0d), (0xa0, 0xa0), (0x2000, 0x200a), (0x3000, 0x3000), (0x2581, 0x2581)],
    "any": [(0x00, 0xd7ff), (0xe000, 0x10ffff)],
    "edges": [(0x7f, 0x80), (0x7ff, 0x800), (0xd7ff, 0xd7ff), (0xe000, 0xe000), (0xfffd, 0x10000), (0x10ffff, 0x10ffff)],
}
WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you
were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other new
Straße naïve façade Ærøskøbing día señor où être être élève Привет мир как дела φιλοσοφία שלום مرحبا नमस्ते สวัสดี 你好 世界 日本語 テスト 한국어
int main(void) { return 0; } for (i = 0; i < n; i++) x[i] += y[i]; def f(x): import os http://example.com/a?b=c&d=e user@host.org
3.14159 1,000,000 0xdeadbeef 2024-01-01 12:30:00 $5.00 100% #tag @name --option /usr/bin C:\\\\dir\\\\file \\n \\t \\u2581 ▁ ▁▁ ⁇ � """.split()
SYMBOLS = """[INST] [/INST] [TOOL_CALLS] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [IMG] [control_8] <s> </s> <unk> <pad> <0x0A> <0xFF> <0x41>
[REFERENCE_DOC_0] [REFERENCE_DOC_1] [REFERENCE_DOC_10] [REFERENCE_DOC_19] [REFERENCE_DOC_2 [REFERENCE_DOC_ REFERENCE_DOC_3] [[REFERENCE_DOC_4]]
[REFERENCE_DOC_20] [reference_doc_1] [REFERENCE_DOC_1][REFERENCE_DOC_1] ▁[REFERENCE_DOC_5] [ ] [[ ]]""".split()


def draw_character(rng, ranges):
    low, high = rng.choice(ranges)
    return chr(rng.randint(low, high))


def make_string(rng):
    kind = rng.randrange(8)
    if kind == 0:  # one script
        ranges = RANGES[rng.choice(list(RANGES))]
        return "".join(draw_character(rng, ranges) for _ in range(rng.randint(0, 80)))
    if kind == 1:  # scripts mixed by character
        return "".join(draw_character(rng, RANGES[rng.choice(list(RANGES))]) for _ in range(rng.randint(1, 60)))
    if kind == 2:  # words
        return rng.choice(["", " ", "  "]) + " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 40))) + rng.choice(["", " ", "\n"])
    if kind == 3:  # words without spaces, in odd case
        return "".join(rng.choice([str, str.upper, str.title])(rng.choice(WORDS)) for _ in range(rng.randint(1, 10)))
    if kind == 4:  # symbols and what looks like them
        return "".join(rng.choice([rng.choice(SYMBOLS), rng.choice(WORDS), " ", ""]) for _ in range(rng.randint(1, 20)))
    if kind == 5:  # long runs
        unit = rng.choice([" ", "a", "=", "-", "\n", "\t", "0", "ab", "▁", "é", "😀", "e\u0301", "  \n", "中", rng.choice(WORDS), rng.choice(SYMBOLS)])
        return rng.choice(["", "x", " "]) + unit * rng.randint(2, 300) + rng.choice(["", "y", " "])
    if kind == 6:  # runs of several
        return "".join(draw_character(rng, RANGES[rng.choice(list(RANGES))]) * rng.randint(1, 40) for _ in range(rng.randint(1, 8)))
    cut = " ".join(rng.choice(WORDS + SYMBOLS) for _ in range(12))  # a piece cut out of words, with one character changed
    start = rng.randrange(len(cut))
    text = list(cut[start:start + rng.randint(1, 40)])
    text[rng.randrange(len(text))] = draw_character(rng, RANGES["any"])
    return "".join(text)


def make_ids(rng, processor):
    """Mostly ids as they may come from a model: any, many bytes, control tokens in between."""
    vocab = processor.vocab_size()
    first_byte = processor.piece_to_id("<0x00>")
    byte = lambda: first_byte + rng.randrange(256)
    character = lambda: [first_byte + b for b in draw_character(rng, RANGES["any"]).encode()]
    ids = []
    while len(ids) < rng.randint(1, 40):
        kind = rng.randrange(5)
        if kind == 0:
            ids.append(byte())
        elif kind == 1:
            ids += character()[:rng.randint(1, 4)]
        elif kind == 2:
            ids.append(rng.randrange(0, 4))
        else:
            ids.append(rng.randrange(vocab))
    return ids


def run(brise, arguments, values):
    lines = "".join(json.dumps(value) + "\n" for value in values)
    result = subprocess.run([brise, "tokenize", *arguments, "--jsonl"], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in result.stdout.decode().split("\n") if line]
    if len(answers) != len(values):
        sys.exit(f"{brise}: {len(answers)} lines for {len(values)}")
    return answers


def compare(what, inputs, expected, found):
    wrong = [i for i in range(len(inputs)) if expected[i] != found[i]]
    for i in wrong[:SHOWN]:
        print(f"{what}: {inputs[i]!r}\n  expected {expected[i]!r}\n  found    {found[i]!r}", file=sys.stderr)
    return len(inputs) - len(wrong), len(wrong)


def import_sentencepiece(name):
    """The module; where it is missing, says so for the models named on the command line, and ends."""
    try:
        import sentencepiece
    except ImportError:
        print("skipped: sentencepiece is not installed", file=sys.stderr)
        sys.exit(report(name, 0, 0, len(sys.argv) - 2))
    return sentencepiece


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sentencepiece = import_sentencepiece("compare_sentencepiece")
    passed = failed = 0
    for model in sys.argv[2:]:
        processor = sentencepiece.SentencePieceProcessor(model_file=model)
        rng = random.Random(2310)
        strings = [make_string(rng) for _ in range(STRINGS)]
        encoded = [processor.encode(s) for s in strings]
        drawn = encoded + [make_ids(rng, processor) for _ in range(STRINGS)]
        decoded = [processor.decode(ids) if ids else "" for ids in drawn]
        for result in (compare(f"{model}: encode", strings, encoded, run(sys.argv[1], [model], strings)),
                       compare(f"{model}: decode", drawn, decoded, run(sys.argv[1], [model, "--decode"], drawn))):
            passed += result[0]
            failed += result[1]
    return report("compare_sentencepiece", passed, failed)


if __name__ == "__main__":
    sys.exit(main())
