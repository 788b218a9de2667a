"""compare_encoders.py BRISE MODEL LIBRARIES: what 4 bits lose on the matrices of the folder MODEL, by brise's encoder and by ggml's own

LIBRARIES is a folder with libggml-base.so (npm's @node-llama-cpp/linux-x64 has it). Statements, about relative squared errors without calibration:
  - on every matrix, brise at its default effort is below IQ4_XS (4.25 bits), IQ4_NL and Q4_0 (4.5 bits);
  - in the mean over matrices, it is below Q4_K (4.5 bits);
  - for every matrix, what the file's table says is the error of the decoded rows, computed here from the file's bytes as quant/FORMAT.md describes them.
"""
import ctypes
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

from counts import report
import ggml_library

brise, model, libraries = sys.argv[1:4]
counts = {"passed": 0, "failed": 0, "skipped": 0}

# name: (ggml's number, elements and bytes of a block)
TYPES = {"IQ4_XS": (23, 256, 136), "IQ4_NL": (20, 32, 18), "Q4_0": (2, 32, 18), "Q4_K": (12, 256, 144)}

MODULES = {"wq": "self_attn.q_proj", "wk": "self_attn.k_proj", "wv": "self_attn.v_proj", "wo": "self_attn.o_proj", "w1": "mlp.gate_proj", "w3": "mlp.up_proj",
           "w2": "mlp.down_proj"}


def check(statement, condition, detail=""):
    counts["passed" if condition else "failed"] += 1
    if not condition:
        print("FAILED: %s%s" % (statement, "" if not detail else ": " + detail), flush=True)


# ---- ggml ------------------------------------------------------------------------------------------------------------

base = ggml_library.load(libraries)


def relative_error(w, q):
    e = w.astype(np.float64) - q
    return float(np.sum(e * e) / np.sum(w.astype(np.float64) ** 2))


def reference_error(name, w):
    number, elements, size = TYPES[name]
    traits = base.ggml_get_type_traits(number).contents
    if (traits.block, traits.bytes) != (elements, size):
        sys.exit("compare_encoders.py: %s of this library has %d elements in %d bytes" % (name, traits.block, traits.bytes))
    rows, cols = w.shape
    blocks, out = ctypes.create_string_buffer(w.size // elements * size), np.empty_like(w)
    base.ggml_quantize_chunk(number, w.ctypes.data, blocks, 0, rows, cols, None)
    traits.to_float(blocks, out.ctypes.data, w.size)
    return relative_error(w, out)


# ---- brise -----------------------------------------------------------------------------------------------------------

CODEBOOK = np.array([-63, -46, -35, -27, -20, -14, -8, -3, 2, 7, 12, 17, 23, 30, 38, 47])
MAGNITUDES = np.array([0, 8, 14, 17, 21, 24, 28, 31, 34, 37, 40, 43, 46, 49, 53, 59])
SHIFTS = np.array([-8, -6, -4, -2, 0, 2, 4, 7])


def decode(data, rows, cols):
    tiles, groups = -(-rows // 16), -(-cols // 128)
    tile = np.frombuffer(data, np.uint8).reshape(tiles, 64 + 1088 * groups)
    row_scale = tile[:, :64].copy().view("<f4")[:, None, None, :, None]  # tile, group, block, row, column
    group = tile[:, 64:].reshape(tiles, groups, 1088)
    scale = group[:, :, :64].reshape(tiles, groups, 4, 16)[..., None].astype(int)
    code = group[:, :, 64:].reshape(tiles, groups, 4, 4, 16, 4).transpose(0, 1, 2, 4, 3, 5).reshape(tiles, groups, 4, 16, 16)
    code = np.concatenate([code & 15, code >> 4], axis=-1)
    magnitude = np.where(scale & 128, -1, 1) * MAGNITUDES[scale & 15]
    w = row_scale * (magnitude * (CODEBOOK[code] + SHIFTS[scale >> 4 & 7])).astype(np.float32)
    return w.transpose(0, 3, 1, 2, 4).reshape(tiles * 16, groups * 128)[:rows, :cols]


def read_bytes(path):
    """Offset and bytes of each tensor of a file, by its place in the table."""
    with open(path, "rb") as f:
        file = f.read()
    entry, n = struct.unpack_from("<I", file, 12)[0], struct.unpack_from("<I", file, 24)[0]
    sections = {kind: (offset, size) for kind, _, offset, size in (struct.unpack_from("<IIQQ", file, 64 + i * entry) for i in range(n))}
    offset, size = sections[2]
    return [file[at:at + length] for at, length in (struct.unpack_from("<QQ", file, offset + i + 24) for i in range(0, size, 64))]


def read_checkpoint(folder):
    weights = {}
    for path in sorted(glob.glob(folder + "/*.safetensors")):
        with open(path, "rb") as f:
            data = f.read()
        n = struct.unpack_from("<Q", data)[0]
        for name, t in json.loads(data[8:8 + n]).items():
            if name != "__metadata__" and len(t["shape"]) == 2:
                if t["dtype"] != "F16":
                    sys.exit("compare_encoders.py: %s: expected F16, found %s" % (name, t["dtype"]))
                begin, end = t["data_offsets"]
                weights[name] = np.frombuffer(data[8 + n + begin:8 + n + end], "<f2").reshape(t["shape"]).astype(np.float32)
    return weights


def checkpoint_name(name):
    if name in ("embedding", "output"):
        return {"embedding": "model.embed_tokens.weight", "output": "lm_head.weight"}[name]
    _, layer, matrix = name.split(".")
    return "model.layers.%s.%s.weight" % (layer, MODULES[matrix])


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0:
        sys.exit("compare_encoders.py: %s" % done.stderr.strip())
    return done.stdout


def main():
    weights = read_checkpoint(model)
    with tempfile.TemporaryDirectory() as scratch:
        path = scratch + "/q4.brise"
        run(brise, "convert", model, path, "--no-tokenizer")
        tensors = json.loads(run(brise, "info", path, "--tensors", "--json"))["tensors"]
        data = read_bytes(path)
    names = list(TYPES)
    sums = dict.fromkeys(["brise"] + names, 0.0)
    matrices = 0
    print("%-14s %9s" % ("", "brise") + "".join(" %9s" % name for name in names))
    for t, stored in zip(tensors, data):
        if t["type"] != "q4":
            continue
        w = weights.pop(checkpoint_name(t["name"]))
        told, found = t["relative_error"], relative_error(w, decode(stored, *w.shape))
        errors = {name: reference_error(name, w) for name in names}
        print("%-14s %9.6f" % (t["name"], told) + "".join(" %9.6f" % errors[name] for name in names))
        check("%s: the told error %.7f is the decoded one %.7f" % (t["name"], told, found), abs(told - found) < 1e-6)
        for name in ("IQ4_XS", "IQ4_NL", "Q4_0"):
            check("%s: %.6f is below %s's %.6f" % (t["name"], found, name, errors[name]), found < errors[name])
        matrices += 1
        sums["brise"] += found
        for name in names:
            sums[name] += errors[name]
    check("every matrix of the checkpoint is in the file", not weights, ", ".join(weights))
    print("%-14s" % "mean" + "".join(" %9.6f" % (sums[name] / matrices) for name in sums))
    check("in the mean over matrices, brise is below Q4_K", sums["brise"] < sums["Q4_K"])


main()
sys.exit(report("encoders", counts["passed"], counts["failed"], counts["skipped"]))
