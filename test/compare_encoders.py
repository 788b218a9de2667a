"""compare_encoders.py BRISE MODEL LIBRARIES: what 4 and 3 bits lose on the matrices of the folder MODEL, by brise's encoder and by ggml's own

LIBRARIES is a folder with libggml-base.so (npm's @node-llama-cpp/linux-x64 has it). Statements, about relative squared errors without calibration:
  - on every matrix, q4 at the default effort is below IQ4_XS (4.25 bits), IQ4_NL and Q4_0 (4.5 bits), and in the mean over matrices below Q4_K (4.5 bits);
  - on every matrix, q3 is below Q3_K (3.44 bits);
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
from digests import BOOK_TYPES
import ggml_library

brise, model, libraries = sys.argv[1:4]
counts = {"passed": 0, "failed": 0, "skipped": 0}

# name: (ggml's number, elements and bytes of a block)
TYPES = {"IQ4_XS": (23, 256, 136), "IQ4_NL": (20, 32, 18), "Q4_0": (2, 32, 18), "Q4_K": (12, 256, 144), "Q3_K": (11, 256, 110)}

# Of ours: ggml's whose error is larger on every matrix, and in the mean.
BARS = {"q4": (("IQ4_XS", "IQ4_NL", "Q4_0"), ("Q4_K",)), "q3": (("Q3_K",), ())}

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

def codes_q4(byte):
    """Bytes [tile, group, block, j, row, k] to codes with columns last; the second half of a block is in the high nibbles."""
    code = byte.transpose(0, 1, 2, 4, 3, 5).reshape(byte.shape[:3] + (16, 16))
    return np.concatenate([code & 15, code >> 4], axis=-1)


def codes_q3(byte):
    """Each nibble of j has the code of one column around bit 3 - j, which belongs to a fourth column."""
    halves = []
    for nibble in (byte & 15, byte >> 4):
        parts = [nibble[:, :, :, j] for j in range(3)]
        columns = [part >> 4 - j << 3 - j | part & (1 << 3 - j) - 1 for j, part in enumerate(parts)]
        columns.append(sum((part >> 3 - j & 1) << 2 - j for j, part in enumerate(parts)))
        halves += columns
    return np.stack(halves, axis=4).reshape(byte.shape[:3] + (16, 32))


# Codebook, magnitudes, shifts, j of a block, codes of bytes.
BOOKS = {
    "q4": (np.array([-63, -46, -35, -27, -20, -14, -8, -3, 2, 7, 12, 17, 23, 30, 38, 47]),
           np.array([0, 8, 14, 17, 21, 24, 28, 31, 34, 37, 40, 43, 46, 49, 53, 59]), np.array([-8, -6, -4, -2, 0, 2, 4, 7]), 4, codes_q4),
    "q3": (np.array([-56, -33, -19, -8, 2, 12, 24, 40]), np.array([0, 7, 16, 19, 22, 25, 27, 30, 33, 35, 37, 39, 42, 45, 50, 56]),
           np.array([-11, -7, -4, -1, 2, 5, 8, 11]), 3, codes_q3)}


def decode(kind, data, rows, cols):
    codebook, magnitudes, shifts, n, codes = BOOKS[kind]
    tiles, groups = -(-rows // 16), -(-cols // 128)
    size = 64 + 256 * n
    tile = np.frombuffer(data, np.uint8).reshape(tiles, 64 + size * groups)
    row_scale = tile[:, :64].copy().view("<f4")[:, None, None, :, None]  # tile, group, block, row, column
    group = tile[:, 64:].reshape(tiles, groups, size)
    scale = group[:, :, :64].reshape(tiles, groups, 4, 16)[..., None].astype(int)
    code = codes(group[:, :, 64:].reshape(tiles, groups, 4, n, 16, 4))
    magnitude = np.where(scale & 128, -1, 1) * magnitudes[scale & 15]
    w = row_scale * (magnitude * (codebook[code] + shifts[scale >> 4 & 7])).astype(np.float32)
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


def compare(kind, weights):
    """The file of that type against ggml's of its size."""
    every, mean = BARS[kind]
    with tempfile.TemporaryDirectory() as scratch:
        path = scratch + "/m.brise"
        run(brise, "convert", model, path, "--no-tokenizer", "--type", kind)
        tensors = json.loads(run(brise, "info", path, "--tensors", "--json"))["tensors"]
        data = read_bytes(path)
    names = every + mean
    sums = dict.fromkeys((kind,) + names, 0.0)
    left = set(weights)
    print("%-14s %9s" % ("", kind) + "".join(" %9s" % name for name in names))
    for t, stored in zip(tensors, data):
        if t["type"] != kind:
            continue
        w = weights[checkpoint_name(t["name"])]
        left.remove(checkpoint_name(t["name"]))
        told, found = t["relative_error"], relative_error(w, decode(kind, stored, *w.shape))
        errors = {name: reference_error(name, w) for name in names}
        print("%-14s %9.6f" % (t["name"], told) + "".join(" %9.6f" % errors[name] for name in names))
        check("%s: the told error %.7f is the decoded one %.7f" % (t["name"], told, found), abs(told - found) < 1e-6)
        for name in every:
            check("%s: %s, %.6f, is below %s's %.6f" % (t["name"], kind, found, name, errors[name]), found < errors[name])
        sums[kind] += found
        for name in names:
            sums[name] += errors[name]
    check("every matrix of the checkpoint is in the file of %s" % kind, not left, ", ".join(left))
    print("%-14s" % "mean" + "".join(" %9.6f" % (total / len(weights)) for total in sums.values()))
    for name in mean:
        check("in the mean over matrices, %s is below %s" % (kind, name), sums[kind] < sums[name])


weights = read_checkpoint(model)
for book_type in BOOK_TYPES:
    compare(book_type, weights)
sys.exit(report("encoders", counts["passed"], counts["failed"], counts["skipped"]))
