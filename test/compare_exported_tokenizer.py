#!/usr/bin/python3
"""compare_exported_tokenizer.py BRISE GOLD - tokenizer.model as brise export gives it back, loaded by Google's SentencePiece

Each tokenizer goes into a tiny checkpoint, through `brise convert` and `brise export`; then the reference must encode and decode with the exported model as
it does with the original one: the vectors of GOLD, and ten thousand strings and id lists. Needs Python's sentencepiece.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from counts import report

try:
    import sentencepiece
except ImportError:
    print("skipped: sentencepiece is not installed", file=sys.stderr)
    sys.exit(report("compare_exported_tokenizer", 0, 0, 1))

from compare_sentencepiece import STRINGS, compare, make_ids, make_string

BRISE, GOLD = sys.argv[1], sys.argv[2]
DIM, HIDDEN, HEAD = 32, 32, 16
SPECIAL = ("unk_id", "bos_id", "eos_id", "pad_id", "vocab_size")


def make_checkpoint(folder, tokenizer, vocab):
    """One layer of zeros: only the tokenizer matters."""
    layer = {"input_layernorm": [DIM], "post_attention_layernorm": [DIM], "self_attn.q_proj": [2 * HEAD, DIM], "self_attn.k_proj": [HEAD, DIM],
             "self_attn.v_proj": [HEAD, DIM], "self_attn.o_proj": [DIM, 2 * HEAD], "mlp.gate_proj": [HIDDEN, DIM], "mlp.up_proj": [HIDDEN, DIM],
             "mlp.down_proj": [DIM, HIDDEN]}
    shapes = {"model.embed_tokens.weight": [vocab, DIM], "model.norm.weight": [DIM], "lm_head.weight": [vocab, DIM]}
    shapes.update({"model.layers.0.%s.weight" % name: shape for name, shape in layer.items()})
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + bytes(at))
    config = {"model_type": "mistral", "hidden_size": DIM, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": HEAD,
              "intermediate_size": HIDDEN, "vocab_size": vocab, "rms_norm_eps": 1e-5, "rope_theta": 1e6, "bos_token_id": 1, "eos_token_id": 2}
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump(config, out)
    os.symlink(os.path.abspath(tokenizer), os.path.join(folder, "tokenizer.model"))


def brise(*words):
    subprocess.run([BRISE, *words], check=True, stderr=subprocess.DEVNULL)


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def check(name, folder):
    """(passed, failed) of one tokenizer."""
    path = os.path.join(GOLD, "tokenizer", name)
    original = sentencepiece.SentencePieceProcessor(model_file=path + ".model")
    checkpoint, model, out = (os.path.join(folder, name + end) for end in ("-checkpoint", ".brise", "-exported"))
    os.mkdir(checkpoint)
    make_checkpoint(checkpoint, path + ".model", original.vocab_size())
    brise("convert", checkpoint, model)
    brise("export", model, out)
    exported = sentencepiece.SentencePieceProcessor(model_file=os.path.join(out, "tokenizer.model"))

    rng = random.Random(2310)
    strings = [make_string(rng) for _ in range(STRINGS)]
    ids = [make_ids(rng, original) for _ in range(STRINGS)]
    golden = read_lines(path + ".encode.jsonl")
    vocab = range(original.vocab_size())
    facts = lambda p: [(i, p.id_to_piece(i), p.get_score(i), p.is_control(i), p.is_unknown(i), p.is_unused(i), p.is_byte(i)) for i in vocab]
    results = [
        compare(name + ": pieces", list(vocab), facts(original), facts(exported)),
        compare(name + ": special ids", SPECIAL, [getattr(original, f)() for f in SPECIAL], [getattr(exported, f)() for f in SPECIAL]),
        compare(name + ": vectors", golden, [v["ids"] for v in golden], [exported.encode(v["text"]) for v in golden]),
        compare(name + ": encode", strings, original.encode(strings), exported.encode(strings)),
        compare(name + ": decode", ids, [original.decode(i) for i in ids], [exported.decode(i) for i in ids]),
    ]
    return sum(r[0] for r in results), sum(r[1] for r in results)


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="brise-exported-") as folder:
        for name in ("breeze", "v1", "v2", "v3"):
            good, bad = check(name, folder)
            passed += good
            failed += bad
    return report("compare_exported_tokenizer", passed, failed)


if __name__ == "__main__":
    sys.exit(main())
