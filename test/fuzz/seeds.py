# seeds.py - writes small valid inputs for the fuzz harnesses: `python3 test/fuzz/seeds.py FOLDER`
# makes FOLDER/<harness>/*
import base64
import io
import json
import os
import pickle
import struct
import sys
import zipfile


def pickle_of(tensors):
    """What torch.save writes for {name: halves of shape}, see test/checkpoint_maker.h for the layout."""
    out = b"\x80\x02}q\x00("
    for i, (name, shape) in enumerate(tensors):
        text = lambda s: b"X" + struct.pack("<I", len(s)) + s.encode()
        number = lambda n: b"J" + struct.pack("<i", n)
        pack = lambda ns: b"(" + b"".join(map(number, ns)) + b"t"
        elements, strides = 1, []
        for n in reversed(shape):
            strides.insert(0, elements)
            elements *= n
        out += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        out += text("storage") + b"ctorch\nHalfStorage\n" + text(str(i)) + text("cpu") + number(elements) + b"tQ"
        out += number(0) + pack(shape) + pack(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    return out + b"u."


def gguf_of(pairs, tensors):
    """A GGUF file of (key, type, bytes of value) and (name, ne, type, bytes)."""
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    out, data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)), b""
    for key, kind, value in pairs:
        out += text(key) + struct.pack("<I", kind) + value
    for name, ne, kind, body in tensors:
        out += text(name) + struct.pack("<I", len(ne)) + struct.pack("<%dQ" % len(ne), *ne) + struct.pack("<IQ", kind, len(data))
        data += body + bytes(-len(body) % 32)
    return out + bytes(-len(out) % 32) + data


def gguf_seed():
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    u32 = lambda n: struct.pack("<I", n)
    array = lambda kind, values: struct.pack("<IQ", kind, len(values)) + b"".join(values)
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)] + ["a", "b", "ab", "[PAD262]"]
    pairs = [("general.architecture", 8, text("llama")), ("general.alignment", 4, u32(32)), ("tokenizer.ggml.model", 8, text("llama")),
             ("tokenizer.ggml.tokens", 9, array(8, [text(t) for t in tokens])), ("tokenizer.ggml.scores", 9, array(6, [struct.pack("<f", -i) for i in range(len(tokens))])),
             ("tokenizer.ggml.token_type", 9, array(5, [u32(2), u32(3), u32(3)] + 256 * [u32(6)] + [u32(1), u32(1), u32(1), u32(5)])),
             ("tokenizer.ggml.bos_token_id", 4, u32(1)), ("tokenizer.ggml.add_space_prefix", 7, b"\1"), ("tokenizer.chat_template", 8, text("[INST] [SYSTEM_PROMPT]")),
             ("llama.rope.freq_base", 6, struct.pack("<f", 1e4)), ("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)), ("split.count", 2, b"\1\0"),
             ("llama.rope.scaling.type", 8, text("none")), ("llama.expert_count", 4, u32(0)), ("llama.attention.head_count_kv", 9, array(4, [u32(1), u32(1)]))]
    pairs += [("llama." + k, 4, u32(v)) for k, v in [("embedding_length", 256), ("block_count", 2), ("attention.head_count", 2), ("feed_forward_length", 512), ("context_length", 99)]]
    sizes = {0: (1, 4), 1: (1, 2), 30: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 20: (32, 18), 23: (256, 136)}
    return gguf_of(pairs, [("t%d" % kind, (block, 1), kind, bytes(size)) for kind, (block, size) in sizes.items()])


def alphabet(token):
    """A token's bytes as GPT-2 writes them."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    return "".join(chr(b if b in visible else 0x100 + hidden.index(b)) for b in token)


def tekken_gguf_seed():
    """A byte-level tokenizer, and the keys of scaled frequencies and queries."""
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    u32, f32 = lambda n: struct.pack("<I", n), lambda x: struct.pack("<f", x)
    array = lambda kind, values: struct.pack("<IQ", kind, len(values)) + b"".join(values)
    control = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_RESULTS]", "[SYSTEM_PROMPT]", "[THINK]"]
    tokens = control + [alphabet(bytes([b])) for b in range(256)] + [alphabet(t) for t in (b" a", b"bc", "é".encode(), b" abc")] + ["[SEP]", "[PAD269]"]
    merges = [" ".join(map(alphabet, pair)) for pair in [(b" ", b"a"), (b"b", b"c"), (b"\xc3", b"\xa9"), (b" a", b"bc")]]
    pairs = [("general.architecture", 8, text("mistral3")), ("tokenizer.ggml.model", 8, text("gpt2")), ("tokenizer.ggml.pre", 8, text("tekken")),
             ("tokenizer.ggml.tokens", 9, array(8, [text(t) for t in tokens])), ("tokenizer.ggml.merges", 9, array(8, [text(m) for m in merges])),
             ("tokenizer.ggml.token_type", 9, array(5, [u32(3)] * len(control) + [u32(1)] * 260 + [u32(4), u32(5)])), ("brise.tekken_version", 4, u32(13)),
             ("tokenizer.ggml.add_bos_token", 7, b"\1"), ("tokenizer.chat_template", 8, text("mistral-v7-tekken")), ("brise.chat_format", 8, text("v13")),
             ("brise.windows", 9, array(4, [u32(7), u32(0)])),
             ("mistral3.rope.scaling.type", 8, text("yarn"))]
    pairs += [("mistral3." + k, 6, f32(v)) for k, v in [("rope.freq_base", 1e6), ("attention.layer_norm_rms_epsilon", 1e-5), ("attention.temperature_scale", 0.1),
              ("rope.scaling.factor", 16), ("rope.scaling.yarn_beta_fast", 32), ("rope.scaling.yarn_beta_slow", 1), ("rope.scaling.yarn_log_multiplier", 1),
              ("rope.scaling.attn_factor", 1.5), ("rope.scaling.yarn_ext_factor", 1)]]
    pairs += [("mistral3." + k, 4, u32(v)) for k, v in [("embedding_length", 64), ("block_count", 2), ("attention.head_count", 4), ("attention.head_count_kv", 2),
              ("attention.key_length", 32), ("attention.value_length", 32), ("rope.dimension_count", 32), ("feed_forward_length", 96), ("context_length", 4096),
              ("vocab_size", len(tokens)), ("rope.scaling.original_context_length", 64)]]
    return gguf_of(pairs, [("token_embd.weight", (64, len(tokens)), 1, bytes(128 * len(tokens)))])


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name, data in members:
            z.writestr(name, data)
    return out.getvalue()


def byte_level_section(control, pieces):
    """As runtime/text/tokenizer_section.h has it."""
    texts, slots = control + pieces, 1024
    table = [0] * slots
    for i, text in enumerate(pieces, len(control)):
        code = 2166136261
        for b in text:
            code = (code ^ b) * 16777619 & 0xFFFFFFFF
        at = (code * 0x9E3779B1 & 0xFFFFFFFF) >> 22
        while table[at]:
            at = (at + 1) % slots
        table[at] = (code << 21 | i + 1) & 0xFFFFFFFF
    starts = [sum(map(len, texts[:i])) for i in range(len(texts) + 1)]
    parts = [struct.pack("<%dI" % len(starts), *starts), bytes([3] * len(control) + [1] * len(pieces)),
             struct.pack("<256I", *range(len(control), len(control) + 256)), struct.pack("<%dI" % slots, *table), b"".join(texts)]
    body = b"".join(part + b"\0" * (-len(part) % 8) for part in parts)
    return struct.pack("<8sIIQIiiiIIII8x", b"brisetok", 2, 8, 64 + len(body), len(texts), -1, 1, 2, starts[-1], max(map(len, texts)), slots, 0) + body


def main(folder):
    def put(harness, name, data):
        os.makedirs(os.path.join(folder, harness), exist_ok=True)
        with open(os.path.join(folder, harness, name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    p = pickle_of([("norm.weight", [4]), ("output.weight", [2, 4])])
    put("fuzz_pickle", "torch", p)
    for protocol in (2, 3, 4, 5):
        put("fuzz_pickle", "plain%d" % protocol, pickle.dumps({"a": (1, 2, -70000, True, None), "b": {"c": "d"}}, protocol))
    put("fuzz_torch_zip", "stored", zip_of([("c/data.pkl", p), ("c/data/0", b"x" * 8), ("c/data/1", b"y" * 16), ("c/byteorder", b"little")]))
    header = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}, "b": {"dtype": "F32", "shape": [5], "data_offsets": [12, 32]}}
    put("fuzz_safetensors", "header", json.dumps(header))
    put("fuzz_safetensors", "index", json.dumps({"metadata": {"total_size": 5}, "weight_map": {"a": "x.safetensors", "b": "y.safetensors"}}))
    config = {"model_type": "mistral", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 48, "vocab_size": 40,
              "head_dim": 16, "sliding_window": None, "rope_theta": 1e6, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": 1,
              "eos_token_id": [2, 3], "rope_scaling": {"rope_type": "default"}, "layer_types": ["a", "a"], "max_position_embeddings": 99}
    put("fuzz_safetensors", "config", json.dumps(config))
    params = {"dim": 32, "n_layers": 2, "head_dim": 16, "hidden_dim": 48, "n_heads": 2, "n_kv_heads": 1, "norm_eps": 1e-5, "vocab_size": 40, "sliding_window": 7, "moe": None}
    put("fuzz_safetensors", "params", json.dumps(params))
    scaled = {"rope_theta": 1e6, "rope_type": "yarn", "type": "yarn", "factor": 16.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
              "original_max_position_embeddings": 64, "llama_4_scaling_beta": 0.1}
    text = dict({k: v for k, v in config.items() if k not in ("rope_scaling", "rope_theta", "layer_types")}, model_type="ministral3", rope_parameters=scaled)
    put("fuzz_safetensors", "wrapper", json.dumps({"model_type": "mistral3", "text_config": text, "vision_config": {"hidden_size": 8},
                                                   "quantization_config": {"quant_method": "fp8", "weight_block_size": None}}))
    put("fuzz_safetensors", "params-later", json.dumps(dict(params, sliding_window=[None, 16], tied_embeddings=True, vision_encoder={"a": 1},
                                                            yarn={"original_max_position_embeddings": 64, "factor": 16, "apply_scale": False, "beta": 32, "alpha": 1},
                                                            llama_4_scaling={"original_max_position_embeddings": 64, "beta": 0.1}, quantization={"qformat_weight": "fp8_e4m3"})))
    put("fuzz_json", "mixed", '{"a": [1, -2.5e-3, true, false, null, "x\\u20ac\\ud834\\udd1e\\n"], "b": {"": {}}}')
    with open("test/models/breeze/tokenizer.model", "rb") as f:
        put("fuzz_sentencepiece", "breeze", f.read())
    space = "\u2581"
    vocab = {t: i for i, t in enumerate(["<unk>", "<s>", "</s>", space, "a", "b", "ab", space + "a", "aba", "ba"] + ["<0x%02X>" % b for b in range(256)])}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": space}
    back = [{"type": "Replace", "pattern": {"String": space}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    added = [{"id": i, "content": t, "special": i < 3, "lstrip": False} for i, t in [(0, "<unk>"), (1, "<s>"), (2, "</s>"), (266, "<|x|>")]]
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": vocab, "merges": ["a b", "b a", space + " a", "ab a", "a ba"]}
    put("fuzz_tokenizer_json", "older", json.dumps({"added_tokens": added, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": space}, replace]},
                                                    "pre_tokenizer": None, "decoder": {"type": "Sequence", "decoders": back}, "model": model}))
    model = dict(model, merges=[m.split(" ") for m in model["merges"]])
    put("fuzz_tokenizer_json", "newer", json.dumps({"added_tokens": added, "normalizer": None, "decoder": {"type": "Sequence", "decoders": back}, "model": model,
                                                    "pre_tokenizer": {"type": "Metaspace", "replacement": space, "prepend_scheme": "first", "split": False}}, ensure_ascii=False))
    with open("test/models/tekken/tekken.json") as f:
        pattern = json.load(f)["config"]["pattern"]
    pieces = [bytes([b]) for b in range(256)] + [b"ab", b"abc", b"bc", b" a"]
    config = {"pattern": pattern, "default_vocab_size": 264, "default_num_special_tokens": 4, "version": "v13"}
    ranks = [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for i, t in enumerate(pieces)]
    special = [{"rank": 1, "token_str": "<s>", "is_control": True}, {"rank": 3, "token_str": "[INST]", "is_control": True}]
    put("fuzz_tokenizer_json", "tekken", json.dumps({"config": config, "vocab": ranks, "special_tokens": special, "image": {"a": 1}}))
    put("fuzz_tokenizer_json", "tekken-v3", json.dumps({"config": dict(config, version="v3"), "vocab": ranks}))
    visible = [b for b in range(256) if 33 <= b <= 126 or b >= 161 and b != 173]
    hidden = [b for b in range(256) if b not in visible]
    letters = {b: chr(b) if b in visible else chr(256 + hidden.index(b)) for b in range(256)}
    vocab = {"".join(letters[b] for b in t): i + 2 for i, t in enumerate(pieces)}
    cuts = [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]
    model = {"type": "BPE", "ignore_merges": True, "vocab": vocab, "merges": ["a b", "a bc", "ab c", "b c", letters[32] + " a"]}
    put("fuzz_tokenizer_json", "byte-level", json.dumps({"added_tokens": added[:2], "pre_tokenizer": {"type": "Sequence", "pretokenizers": cuts},
                                                         "decoder": {"type": "ByteLevel"}, "model": model}))
    put("fuzz_tokenizer", "byte-level", b"\x0bab\xff abc\n12" + byte_level_section([b"<unk>", b"<s>", b"</s>", b"[INST]"], pieces))
    tokens = [("<s>", 1, True), ("<|im_end|>", 5, True), ("<|im_start|>", 6, False), ("[PAD]", 40, True)]
    put("fuzz_added_tokens", "tokenizer", "\0" + json.dumps({"model": {}, "added_tokens": [{"id": i, "content": t, "special": s, "lstrip": False} for t, i, s in tokens]}))
    put("fuzz_added_tokens", "config", "\1" + json.dumps({"added_tokens_decoder": {str(i): {"content": t, "special": s, "rstrip": False} for t, i, s in tokens}}))
    put("fuzz_added_tokens", "plain", "\2" + json.dumps({t: i for t, i, _ in tokens[1:]}))
    config = json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "use_rslora": False, "modules_to_save": None, "rank_pattern": {"k_proj": 1}, "alpha_pattern": {},
                         "init_lora_weights": True, "target_modules": ["q_proj"], "fan_in_fan_out": False}).encode()
    header, data = {}, b""
    for name, shape in [("model.layers.1.self_attn.q_proj.lora_A.weight", [2, 8]), ("model.layers.1.self_attn.q_proj.lora_B.weight", [8, 2]),
                        ("model.layers.0.self_attn.k_proj.lora_A.weight", [1, 8]), ("model.layers.0.self_attn.k_proj.lora_B.weight", [4, 1]),
                        ("model.embed_tokens.lora_embedding_A", [2, 10]), ("model.embed_tokens.lora_embedding_B", [8, 2])]:
        size = 2 * shape[0] * shape[1]
        header["base_model.model." + name] = {"dtype": "F16", "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += b"\x00\x3c" * (size // 2)
    header = json.dumps(header).encode()
    put("fuzz_lora", "adapter", struct.pack("<H", len(config)) + config + struct.pack("<Q", len(header)) + header + data)
    config = json.dumps({"dim": 8, "n_layers": 2, "head_dim": 4, "hidden_dim": 12, "n_heads": 2, "n_kv_heads": 1, "norm_eps": 1e-5, "vocab_size": 10, "rope_theta": 1e4,
                         "lora": {"enable": True, "rank": 2, "dropout": 0.1, "scaling": 2.0}, "moe": None}).encode()
    header, data = {}, b""
    for name, shape in [("1.attention.wq.lora_A", [2, 8]), ("1.attention.wq.lora_B", [8, 2]), ("0.feed_forward.w2.lora_A", [2, 12]), ("0.feed_forward.w2.lora_B", [8, 2])]:
        size = 4 * shape[0] * shape[1]
        header["layers." + name + ".weight"] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += b"\x00\x00\x80\x3f" * (size // 4)
    header = json.dumps(header).encode()
    put("fuzz_lora", "finetune", struct.pack("<H", len(config) | 0x8000) + config + struct.pack("<Q", len(header)) + header + data)
    put("fuzz_gguf", "model", gguf_seed())
    put("fuzz_gguf", "tekken", tekken_gguf_seed())
    put("fuzz_calibration", "same", b"\x01")
    put("fuzz_calibration", "changed", b"\x01\x30\x00\x40\x80\x01\xff")
    # Of the text at the end: ids of the vocabulary, the first beyond it, a negative one; a file without text.
    put("fuzz_calibration", "text", b"\x09\x03\x00\x13\x07\x00\x00")
    put("fuzz_calibration", "text-beyond", b"\x29\x03\x00\x14")
    put("fuzz_calibration", "text-negative", b"\x09\x00\x00\xff")
    put("fuzz_calibration", "text-q3", b"\x29\x0b\x00\x02")
    put("fuzz_calibration", "version-1", b"\x11")
    put("fuzz_calibration", "resumed", b"\x07")
    put("fuzz_calibration", "damaged", b"\x07\x0c\x00\x02\x90\x00\x02")
    for form in range(32):
        put("fuzz_convert", "same%d" % form, bytes([form]))
    for file in range(6):
        put("fuzz_convert", "changed%d" % file, bytes([file, 24 + file, 3, 0, 1 + file, 12 + file, file, 0, 13]))
    affixes = json.dumps({"control": ["</s>"], "begin": True, "system": {"in": "first user", "before": "<", "after": "> "}, "user": {"before": "U:", "after": "\n"},
                          "assistant": {"before": "A:", "after": "</s>"}, "tool": {"before": "T", "after": ""}, "ends": ["</s>"]})
    call = {"id": "call1", "type": "function", "function": {"name": "f", "arguments": '{"a": [1.50, "x"]}'}}
    talk = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "a</s>[INST]"}]}, {"role": "assistant", "tool_calls": [call]},
                         {"role": "tool", "tool_call_id": "call1", "content": "[1]"}, {"role": "assistant", "content": "b", "prefix": True}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}], "continue_final_message": False}
    plain = json.dumps({"messages": [m for m in talk["messages"] if m["role"] in ("system", "user")]})
    for form in range(11):
        if form == 10:
            talk["messages"][-1]["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": "[/THINK]"}]}, {"type": "text", "text": "b"}, {"type": "thinking", "thinking": "c", "closed": False}]
        put("fuzz_chat", "form%d" % form, bytes([20 * form + (1 if form in (1, 2) else 2 if form == 3 else 0)]) + affixes.encode() + b"\0" + (json.dumps(talk) if form in (1, 2) or form > 6 else plain).encode())
    put("fuzz_grammar", "schema", b'\0{"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"pattern": "^x|y{2,3}$", "maxLength": 5}}, "required": ["a"], "$defs": {"n": {"type": "integer", "minimum": -3, "multipleOf": 0.5}}}')
    put("fuzz_grammar", "branches", b'\0{"oneOf": [{"enum": ["a", [1]]}, {"type": "array", "prefixItems": [true], "items": {"format": "date"}, "minItems": 1}], "anyOf": [{"allOf": [{"not": 1}]}]}')
    put("fuzz_grammar", "gbnf", b'\1root ::= sum "\\n"\nsum ::= sum "+" [0-9]{1,3} | (sum)? "\\u00e9" # end')
    put("fuzz_grammar", "tools", b'\2[{"function": {"name": "f", "parameters": {"properties": {"x": {"type": "string"}}}}}, {"function": {"name": "g"}}]')
    put("fuzz_grammar", "calls", b'\6[{"function": {"name": "f", "parameters": {"properties": {"x": {"type": "string"}}}}}, {"function": {"name": "f g"}}]')
    put("fuzz_grammar", "pattern", b"\3^(?:a|[^\\d-z]{2,}?|\\u{41}.)*$")
    put("fuzz_answer", "list", b"text\1 [{\"name\": \"f\", \4\"arguments\": {\"a\": [1, \"}\"]}, \"id\": \"x\"}, {\"arguments\": \"{}\", \"name\": \"g\"}]")
    put("fuzz_answer", "named", b"\1f\2call00001\3{\"a\": 1}\1g[ARGS]{}after")
    head = b"POST /v1/chat?x=%20 HTTP/1.1\r\nHost: a:1\r\n"
    put("fuzz_http", "length", head + b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\n{}GET http://b/c%20d HTTP/1.0\r\n\r\n")
    put("fuzz_http", "chunks", head + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\nX: y\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n")
    put("fuzz_model", "same", b"\x01")
    put("fuzz_model", "changed", b"\x01\x40\x00\x01\x80\x00\x02")


main(sys.argv[1])
