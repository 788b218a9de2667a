#!/usr/bin/python3
"""compare_added_tokens.py BRISE MODEL - text beside added tokens, cut by brise and by Hugging Face's tokenizers

MODEL is a SentencePiece tokenizer.model. It is turned into tokenizer.json in each spelling of spaces (normalizers Prepend and Replace; Metaspace with
prepend_scheme first, always and never) with added tokens of all kinds of flags, special ones too. Ten thousand strings with these tokens at beginnings, ends and
side by side, the same every time, must give the ids that npm's `tokenizers` (the reference in Rust, its folder in BRISE_NODE_TOKENIZERS) gives:
- `brise tokenize FILE --control` against the whole file;
- `brise tokenize FILE` against the file without special tokens, which text then never becomes;
- the same of a .brise file converted from tokenizer.model with that tokenizer.json beside it, with tokenizer_config.json instead (what transformers makes of
  "legacy"), and of what `brise export` gives back of it, converted again.
Needs Python's sentencepiece.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

from compare_sentencepiece import STRINGS, WORDS, compare, import_sentencepiece, make_string, run
from compare_tokenizer_json import SPACE, make_checkpoint, make_json, read_types, run_node
from counts import report

CHATML = [("<|im_end|>", {"special": True}), ("<|im_start|>", {})]
SYMBOLS = [("<|im_end|>", {}), ("<|im_start|>", {}), ("<|im", {}), ("<tool call>", {}), ("[END]", {"special": True})]
FLAGGED = [("<l>", {"lstrip": True}), ("<r>", {"rstrip": True}), ("<lr>", {"lstrip": True, "rstrip": True, "special": True}), ("<n>", {"normalized": True}),
           ("<n b>", {"normalized": True}), ("<nl>", {"normalized": True, "lstrip": True}), ("<nr>", {"normalized": True, "rstrip": True}),
           ("wqz", {"single_word": True}), ("<|s|>", {"special": True, "single_word": True}), ("\n\n", {})]
SCHEMES = ["legacy", "first", "always", "never"]


def spell(tokenizer, scheme, added, base):
    """The file in another spelling of spaces, with tokens after its own."""
    tokenizer = json.loads(json.dumps(tokenizer))
    tokenizer["added_tokens"] += [{"id": base + i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}
                                  for i, (t, flags) in enumerate(added)]
    if scheme != "legacy":
        tokenizer["normalizer"] = None
        tokenizer["pre_tokenizer"] = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": False}
        if scheme == "never":
            tokenizer["decoder"]["decoders"] = [d for d in tokenizer["decoder"]["decoders"] if d["type"] != "Strip"]
    return tokenizer


def draw_strings(rng, added):
    """Tokens at beginnings, ends and side by side, among words and spaces of all kinds."""
    texts = [t for t, _ in added] + ["</s>", "<s>", "<unk>"]
    spaces = ["", "", " ", " ", "  ", "\n", "\t", "\u00a0", "\u3000", SPACE]
    strings = []
    while len(strings) < STRINGS:
        parts = []
        for _ in range(rng.randrange(1, 9)):
            parts += [rng.choice(spaces), rng.choice(texts) if rng.random() < 0.5 else rng.choice(WORDS) if rng.random() < 0.8 else make_string(rng)[:20]]
        strings.append("".join(parts + [rng.choice(spaces)]))
    return strings


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False)


def without_special(tokenizer, base):
    """Ids of added tokens follow from their order, so those after the vocabulary stay, under names that no text holds."""
    return {**tokenizer, "added_tokens": [t if not t["special"] else {**t, "content": "\ue000" + str(t["id"])} for t in tokenizer["added_tokens"]
                                          if not t["special"] or t["id"] >= base]}


def convert(brise, folder, name):
    path = os.path.join(folder, name)
    subprocess.run([brise, "convert", folder, path, "--type", "f16"], stderr=subprocess.DEVNULL, check=True)
    return path


def make_config(tokenizer, scheme):
    return {"legacy": scheme == "legacy", "add_bos_token": True, "tokenizer_class": "LlamaTokenizer",
            "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokenizer["added_tokens"]}}


def compare_files(brise, node, model, tokenizer, scheme, name, added, base, seed):
    rng, results = random.Random(seed), []
    strings = draw_strings(rng, added)
    with tempfile.TemporaryDirectory() as folder:
        path, quiet = os.path.join(folder, "tokenizer.json"), os.path.join(folder, "quiet.json")
        write_json(path, tokenizer)
        write_json(quiet, without_special(tokenizer, base))
        expected = {"--control": run_node(node, path, strings), "": run_node(node, quiet, strings)}

        def check(file, what):
            for option, ids in expected.items():
                results.append(compare(f"{what} {option}", strings, ids, run(brise, [file] + [option] * bool(option), strings)))

        what = f"{os.path.basename(model)}, {name} tokens, {scheme}"
        check(path, f"{what}: tokenizer.json")
        os.remove(quiet)
        shutil.copy(model, os.path.join(folder, "tokenizer.model"))
        make_checkpoint(folder, base + len(added))
        if scheme != "never":
            check(convert(brise, folder, "both.brise"), f"{what}: beside tokenizer.model")
        if scheme in ("legacy", "first"):
            write_json(os.path.join(folder, "tokenizer_config.json"), make_config(tokenizer, scheme))
            os.remove(path)
            file = convert(brise, folder, "config.brise")
            check(file, f"{what}: tokenizer_config.json")
            out = os.path.join(folder, "out")
            subprocess.run([brise, "export", file, out + "/"], stderr=subprocess.DEVNULL, check=True)
            check(convert(brise, out, "again.brise"), f"{what}: exported and converted again")
    return results


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sentencepiece, node = import_sentencepiece("compare_added_tokens"), os.environ.get("BRISE_NODE_TOKENIZERS")
    if not node:
        print("compare_added_tokens: 0 passed, 0 failed, 1 skipped")
        return 0
    brise, model = sys.argv[1:]
    processor, types, results = sentencepiece.SentencePieceProcessor(model_file=model), read_types(model), []
    base = processor.vocab_size()
    plain = make_json(processor, types, False)
    for seed, (name, added) in enumerate((("ChatML's", CHATML), ("several", SYMBOLS), ("flagged", FLAGGED))):
        for scheme in SCHEMES:
            results += compare_files(brise, node, model, spell(plain, scheme, added, base), scheme, name, added, base, seed)
    return report("compare_added_tokens", sum(r[0] for r in results), sum(r[1] for r in results))


if __name__ == "__main__":
    sys.exit(main())
