"""compare_ggml.py BUILD MODEL LIBRARIES [IDS]: what brise makes of GGUF files, against ggml itself

LIBRARIES is a folder with libggml-base.so and libllama*.so (npm's @node-llama-cpp/linux-x64 has them). Statements:
  - every element type decodes to the same bits, for blocks of random bytes and for blocks that ggml quantized;
  - the folder MODEL converted from an F16 GGUF file has the bytes of the folder converted itself, tokenizer included;
  - GGUF files that llama.cpp quantized convert, and their perplexity over IDS is near the original's.
"""
import ctypes
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from counts import report
import ggml_library

build, model, libraries = sys.argv[1:4]
ids = sys.argv[4] if len(sys.argv) > 4 else None
counts = {"passed": 0, "failed": 0, "skipped": 0}

# name: (ggml's number, elements, bytes, offsets of f16 scales)
TYPES = {
    "F32": (0, 1, 4, []), "F16": (1, 1, 2, []), "BF16": (30, 1, 2, []),
    "Q4_0": (2, 32, 18, [0]), "Q4_1": (3, 32, 20, [0, 2]), "Q5_0": (6, 32, 22, [0]), "Q5_1": (7, 32, 24, [0, 2]), "Q8_0": (8, 32, 34, [0]),
    "Q2_K": (10, 256, 84, [80, 82]), "Q3_K": (11, 256, 110, [108]), "Q4_K": (12, 256, 144, [0, 2]), "Q5_K": (13, 256, 176, [0, 2]), "Q6_K": (14, 256, 210, [208]),
    "IQ4_NL": (20, 32, 18, [0]), "IQ4_XS": (23, 256, 136, [0]),
}
# llama.cpp's file types (llama.h: llama_ftype), and how much the perplexity of a small model may
# differ from F16's, in %
FILES = {"Q8_0": (7, 0.1), "Q6_K": (18, 0.3), "Q5_K_M": (17, 1), "Q5_0": (8, 1.2), "Q5_1": (9, 1.2), "Q4_K_M": (15, 2), "Q4_0": (2, 3), "Q4_1": (3, 3),
         "IQ4_NL": (25, 2), "IQ4_XS": (30, 2), "Q3_K_M": (12, 8), "Q2_K": (10, 40), "BF16": (32, 0.3)}


def check(statement, condition, detail=""):
    counts["passed" if condition else "failed"] += 1
    print("%s: %s%s" % ("passed" if condition else "FAILED", statement, "" if not detail else ": " + detail), flush=True)


# ---- blocks ----------------------------------------------------------------------------------------------------------

base = ggml_library.load(libraries)


def reference_decode(name, blocks):
    number, elements, size, _ = TYPES[name]
    n = len(blocks) // size * elements
    if name == "F32":
        return blocks
    out = ctypes.create_string_buffer(4 * n)
    base.ggml_get_type_traits(number).contents.to_float(blocks, out, n)
    return out.raw


def brise_decode(name, blocks):
    return subprocess.run([build + "/test/decode_blocks", name], input=blocks, stdout=subprocess.PIPE, check=True).stdout


def random_blocks(name, n, rng):
    """Random bytes; scales are random halves that are finite, and every eighth one is subnormal or zero. Plain halves and floats are finite, too."""
    _, _, size, scales = TYPES[name]
    out = bytearray(rng.getrandbits(8 * n * size).to_bytes(n * size, "little"))
    for block in range(n):
        for at in scales:
            half = rng.getrandbits(16)
            half = half & 0x83ff if rng.getrandbits(3) == 0 else half & 0xbfff
            struct.pack_into("<H", out, block * size + at, half)
        if not scales:
            out[block * size + size - 1] &= 0xbf
    return bytes(out)


def quantized_blocks(name, rng):
    number, elements, size, _ = TYPES[name]
    rows, columns = 64, 1024
    values = struct.pack("<%df" % (rows * columns), *[rng.gauss(0, 0.02) for _ in range(rows * columns)])
    out = ctypes.create_string_buffer(rows * columns // elements * size)
    base.ggml_quantize_chunk(number, values, out, 0, rows, columns, None)
    return out.raw


def compare_blocks():
    rng = random.Random(7)
    for name, (number, elements, size, scales) in TYPES.items():
        traits = base.ggml_get_type_traits(number).contents
        check("%s has %d elements in %d bytes" % (name, elements, size), (traits.block, traits.bytes) == (elements, size))
        n = 4000 if elements > 1 else 100000
        blocks = random_blocks(name, n, rng)
        check("%s: %d random blocks decode to the reference's bits" % (name, n), brise_decode(name, blocks) == reference_decode(name, blocks))
        if scales:
            blocks = quantized_blocks(name, rng)
            check("%s: %d blocks quantized by the reference decode to its bits" % (name, len(blocks) // size), brise_decode(name, blocks) == reference_decode(name, blocks))


# ---- files -----------------------------------------------------------------------------------------------------------

def read_safetensors(folder):
    for path in sorted(glob.glob(folder + "/*.safetensors")):
        with open(path, "rb") as f:
            data = f.read()
        n = struct.unpack_from("<Q", data)[0]
        for name, t in json.loads(data[8:8 + n]).items():
            if name != "__metadata__":
                begin, end = t["data_offsets"]
                yield name, t["shape"], data[8 + n + begin:8 + n + end]


def interleave(data, rows, head):
    """Rows of q and k, within a head: halves to pairs."""
    size = len(data) // rows
    row = lambda i: data[i * size:(i + 1) * size]
    return b"".join(row(first + (i // 2 if i % 2 == 0 else head // 2 + i // 2)) for first in range(0, rows, head) for i in range(head))


NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    if not name.startswith("model.layers."):
        return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}[name]
    layer, rest = name[len("model.layers."):].split(".", 1)
    return "blk.%s.%s.weight" % (layer, NAMES[rest[:-len(".weight")]])


def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def pair(key, kind, value):
    number, code = {"u32": (4, "<I"), "f32": (6, "<f"), "bool": (7, "<?"), "string": (8, None)}[kind]
    return text(key) + struct.pack("<I", number) + (text(value) if kind == "string" else struct.pack(code, value))


def array(key, kind, values):
    number, code = {"i32": (5, "i"), "f32": (6, "f"), "string": (8, None)}[kind]
    body = b"".join(map(text, values)) if kind == "string" else struct.pack("<%d%s" % (len(values), code), *values)
    return text(key) + struct.pack("<IIQ", 9, number, len(values)) + body


def tokenizer_pairs(folder):
    """As llama.cpp's convert_hf_to_gguf.py fills them from tokenizer.model."""
    import sentencepiece
    sp = sentencepiece.SentencePieceProcessor(model_file=folder + "/tokenizer.model")
    kind = lambda i: 2 if sp.IsUnknown(i) else 3 if sp.IsControl(i) else 5 if sp.IsUnused(i) else 6 if sp.IsByte(i) else 1
    n = sp.vocab_size()
    return [pair("tokenizer.ggml.model", "string", "llama"), pair("tokenizer.ggml.pre", "string", "default"),
            array("tokenizer.ggml.tokens", "string", [sp.IdToPiece(i) for i in range(n)]),
            array("tokenizer.ggml.scores", "f32", [sp.GetScore(i) for i in range(n)]),
            array("tokenizer.ggml.token_type", "i32", [kind(i) for i in range(n)]),
            pair("tokenizer.ggml.bos_token_id", "u32", 1), pair("tokenizer.ggml.eos_token_id", "u32", 2), pair("tokenizer.ggml.unknown_token_id", "u32", 0),
            pair("tokenizer.ggml.add_bos_token", "bool", True), pair("tokenizer.ggml.add_eos_token", "bool", False)]


def write_gguf(folder, path):
    with open(folder + "/config.json") as f:
        c = json.load(f)
    head = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
    pairs = [pair("general.architecture", "string", "llama"), pair("general.file_type", "u32", 1)]
    pairs += [pair("llama." + k, "u32", v) for k, v in [
        ("vocab_size", c["vocab_size"]), ("context_length", c["max_position_embeddings"]), ("embedding_length", c["hidden_size"]), ("block_count", c["num_hidden_layers"]),
        ("feed_forward_length", c["intermediate_size"]), ("attention.head_count", c["num_attention_heads"]), ("attention.head_count_kv", c["num_key_value_heads"]),
        ("attention.key_length", head), ("attention.value_length", head), ("rope.dimension_count", head), ("attention.sliding_window", c["sliding_window"] or 0)]]
    pairs += [pair("llama.rope.freq_base", "f32", c["rope_theta"]), pair("llama.attention.layer_norm_rms_epsilon", "f32", c["rms_norm_eps"])]
    pairs += tokenizer_pairs(folder)
    infos, data = [], bytearray()
    for name, shape, raw in read_safetensors(folder):
        kind = 1
        if "q_proj" in name or "k_proj" in name:
            raw = interleave(raw, shape[0], head)
        if len(shape) == 1:
            kind, raw = 0, struct.pack("<%df" % shape[0], *struct.unpack("<%de" % shape[0], raw))
        infos.append(text(gguf_name(name)) + struct.pack("<I", len(shape)) + struct.pack("<%dQ" % len(shape), *reversed(shape)) + struct.pack("<IQ", kind, len(data)))
        data += raw + bytes(-len(raw) % 32)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + b"".join(pairs) + b"".join(infos)
    with open(path, "wb") as f:
        f.write(header + bytes(-len(header) % 32) + data)


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def convert(source, target, kind):
    done = run(build + "/brise", "convert", source, target, "--type", kind)
    check("%s converts to %s" % (os.path.basename(source), kind), done.returncode == 0, done.stderr.strip().split("\n")[-1])
    return done.stderr


def tensors_and_tokenizer(path):
    """Everything but the notes of origin: sections 1 to 3 in order of kind, then all tensors."""
    with open(path, "rb") as f:
        file = f.read()
    entry, n = struct.unpack_from("<I", file, 12)[0], struct.unpack_from("<I", file, 24)[0]
    sections = [struct.unpack_from("<IIQQ", file, 64 + i * entry) for i in range(n)]
    parts = {kind: file[offset:offset + size] for kind, _, offset, size in sections}
    table = parts[2]
    tensors = [file[offset:offset + size] for offset, size in (struct.unpack_from("<QQ", table, i + 24) for i in range(0, len(table), 64))]
    return parts[1], parts[3], tensors


def perplexity(path):
    done = run(build + "/brise", "perplexity", path, "--ids", ids, "--json")
    return json.loads(done.stdout)["perplexity"]


def quantize(library, source, target, ftype):
    class Parameters(ctypes.Structure):  # the defaults of whatever version it is; only its first two fields are named
        _fields_ = [("threads", ctypes.c_int32), ("ftype", ctypes.c_int32), ("rest", ctypes.c_char * 248)]
    library.llama_model_quantize_default_params.restype = Parameters
    parameters = library.llama_model_quantize_default_params()
    parameters.threads, parameters.ftype = 2, ftype
    library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
    return library.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters))


def compare_files(scratch):
    original, f16 = scratch + "/folder.brise", scratch + "/f16.gguf"
    write_gguf(model, f16)
    convert(model, original, "f16")
    convert(f16, scratch + "/f16.brise", "f16")
    check("the F16 GGUF file gives the folder's configuration, tokenizer and tensors", tensors_and_tokenizer(original) == tensors_and_tokenizer(scratch + "/f16.brise"))
    plain = perplexity(original) if ids else None
    ctypes.CDLL(glob.glob(libraries + "/libggml.v*.so")[0] if glob.glob(libraries + "/libggml.v*.so") else libraries + "/libggml.so", mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(glob.glob(libraries + "/libllama.*so")[0] if glob.glob(libraries + "/libllama.*so") else libraries + "/libllama.so")
    library.llama_log_set(ctypes.cast(SILENT, ctypes.c_void_p), None)
    for name, (ftype, most) in FILES.items():
        source, target = "%s/%s.gguf" % (scratch, name), "%s/%s.brise" % (scratch, name)
        check("llama.cpp writes %s" % name, quantize(library, f16, source, ftype) == 0)
        notes = convert(source, target, "f16")
        print("  " + next(line for line in notes.split("\n") if "weights: " in line))
        if ids:
            p = perplexity(target)
            check("%s: perplexity %.4f is within %g %% of F16's %.4f" % (name, p, most, plain), abs(p / plain - 1) * 100 <= most, "%+.3f %%" % ((p / plain - 1) * 100))
        os.remove(source)
        os.remove(target)


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def SILENT(level, message, user):
    pass


compare_blocks()
with tempfile.TemporaryDirectory() as folder:
    compare_files(folder)
sys.exit(report("ggml", counts["passed"], counts["failed"], counts["skipped"]))
