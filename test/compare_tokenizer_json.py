#!/usr/bin/python3
"""compare_tokenizer_json.py BRISE MODEL... - tokenizer.json read by brise against Google's SentencePiece and Hugging Face's tokenizers

Each MODEL is a SentencePiece tokenizer.model. It is turned into tokenizer.json as the published converters do it: a merge for each way to cut a piece
into two, ordered by the piece's score; in the older spelling (merges as "a b", parts in order of their ids, normalizers Prepend and Replace) and in
the newer one (merges as ["a", "b"], longer parts first, pre-tokenizer Metaspace). brise must encode and decode with both as SentencePiece does with MODEL.
Ten thousand strings, the same every time. Needs Python's sentencepiece.

With BRISE_NODE_TOKENIZERS, the folder of npm's `tokenizers` (the reference in Rust), that encodes them with both files as well. It differs from
SentencePiece where a symbol or control token stands in the text and, with Metaspace, where the text begins with a space; such strings are left out.
compare_added_tokens.py has those.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from compare_sentencepiece import STRINGS, compare, import_sentencepiece, make_ids, make_string, run
from counts import report

SPACE = "\u2581"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
NODE = """
const { Tokenizer } = require(process.argv[1]);
const t = Tokenizer.fromFile(process.argv[2]);
(async () => {
	for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').filter(l => l))
		console.log(JSON.stringify((await t.encode(JSON.parse(line), null, { addSpecialTokens: false })).getIds()));
})();
"""


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def read_types(path):
    """Type of each piece: field 1 of the model, and in it field 3 (sentencepiece_model.proto)."""
    data, at, types = open(path, "rb").read(), 0, []
    while at < len(data):
        tag, at = read_varint(data, at)
        assert tag & 7 == 2
        size, at = read_varint(data, at)
        if tag >> 3 == 1:
            piece, k, kind = data[at:at + size], 0, NORMAL
            while k < size:
                tag, k = read_varint(piece, k)
                if tag & 7 == 5:
                    k += 4
                else:
                    value, k = read_varint(piece, k)
                    if tag == 3 << 3:
                        kind = value
                    if tag & 7 == 2:
                        k += value
            types.append(kind)
        at += size
    return types


def make_json(processor, types, newer):
    pieces = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for i, piece in enumerate(pieces):
        cuts = [(piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in vocab and piece[k:] in vocab]
        merges += [(processor.get_score(i), *cut) for cut in sorted(cuts, key=lambda cut: (vocab[cut[0]], vocab[cut[1]]))]
    merges.sort(key=(lambda m: (m[0], len(m[1]), len(m[2]))) if newer else (lambda m: m[0]), reverse=True)
    added = [{"id": i, "content": pieces[i], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": t != USER_DEFINED}
             for i, t in enumerate(types) if t in (UNKNOWN, CONTROL, USER_DEFINED)]
    # Mistral's models all put a space in front; what the model itself says is seen in how it
    # encodes nothing but a letter.
    prefix = processor.encode("a")[0] != processor.piece_to_id("a")
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    back = [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None if newer else {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}] * prefix + [spaces]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first" if prefix else "never", "split": False} if newer else None,
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": back + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * prefix},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False, "vocab": vocab, "merges": [list(m[1:]) if newer else m[1] + " " + m[2] for m in merges]},
    }


def run_node(folder, path, strings):
    result = subprocess.run(["node", "-e", NODE, folder, path], input="".join(json.dumps(s) + "\n" for s in strings).encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in result.stdout.decode().split("\n") if line]


def read_goldens(model):
    path = os.path.splitext(model)[0] + ".encode.jsonl"
    return [json.loads(line)["text"] for line in open(path, encoding="utf-8")] if os.path.exists(path) else []


DIM = 32


def make_checkpoint(folder, vocab):
    """One small layer of zeros."""
    layer = "model.layers.0."
    shapes = {"model.embed_tokens": [vocab, DIM], "lm_head": [vocab, DIM], "model.norm": [DIM], layer + "input_layernorm": [DIM], layer + "post_attention_layernorm": [DIM]}
    shapes.update({layer + m: [DIM, DIM] for m in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")})
    header, size = {}, 0
    for name, shape in shapes.items():
        end = size + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name + ".weight"] = {"dtype": "F16", "shape": shape, "data_offsets": [size, end]}
        size = end
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + bytes(size))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"model_type": "mistral", "hidden_size": DIM, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "intermediate_size": DIM,
                   "vocab_size": vocab, "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": vocab - 2}, f)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sentencepiece = import_sentencepiece("compare_tokenizer_json")
    node = os.environ.get("BRISE_NODE_TOKENIZERS")
    results = []
    for model in sys.argv[2:]:
        processor, types = sentencepiece.SentencePieceProcessor(model_file=model), read_types(model)
        rng = random.Random(1508)
        strings = read_goldens(model) + [make_string(rng) for _ in range(STRINGS)]
        encoded = [processor.encode(s) for s in strings]
        drawn = encoded + [make_ids(rng, processor) for _ in range(STRINGS)]
        decoded = [processor.decode(ids) if ids else "" for ids in drawn]
        symbols = [processor.id_to_piece(i) for i, t in enumerate(types) if t in (UNKNOWN, CONTROL, USER_DEFINED)]
        user = [processor.id_to_piece(i) for i, t in enumerate(types) if t == USER_DEFINED]
        for newer in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "tokenizer.json")
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(make_json(processor, types, newer), f, ensure_ascii=not newer, indent=2 if newer else None)
                what = f"{model}, {'newer' if newer else 'older'} tokenizer.json"
                same = [i for i, s in enumerate(strings) if not any(symbol in s for symbol in user) and not (newer and s.startswith((" ", SPACE)))]
                results.append(compare(f"{what}: encode", [strings[i] for i in same], [encoded[i] for i in same], run(sys.argv[1], [path], [strings[i] for i in same])))
                results.append(compare(f"{what}: decode", drawn, decoded, run(sys.argv[1], [path, "--decode"], drawn)))
                if node:
                    plain = [i for i, s in enumerate(strings) if not any(symbol in s for symbol in symbols) and not (newer and s.startswith((" ", SPACE)))]
                    results.append(compare(f"{what}: Hugging Face's", [strings[i] for i in plain], [encoded[i] for i in plain],
                                           run_node(node, path, [strings[i] for i in plain])))
    return report("compare_tokenizer_json", sum(r[0] for r in results), sum(r[1] for r in results))


if __name__ == "__main__":
    sys.exit(main())
