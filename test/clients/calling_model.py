#!/usr/bin/env python3
"""calling_model.py - a small model whose vocabulary has the control tokens of Mistral's v3

usage: calling_model.py FROM TO

Copies a checkpoint, and gives its last pieces the names of control tokens, so that it can be asked
for tool calls. What it says makes no sense; calls by a grammar are well formed all the same.
"""
import shutil
import struct
import sys
from pathlib import Path

MARKS = ["[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
         "[TOOL_RESULTS]", "[/TOOL_RESULTS]"]
CONTROL = 3  # sentencepiece_model.proto, ModelProto.SentencePiece.Type


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def write_varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def read_fields(data):
    """The top level of the message: (number, bytes as they are, their content)."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = read_varint(data, at)
        if tag & 7 != 2:
            raise ValueError(f"field {tag >> 3} has type {tag & 7}, expected a message")
        size, at = read_varint(data, at)
        yield tag >> 3, data[begin:at + size], data[at:at + size]
        at += size


def make_piece(name):
    text = name.encode()
    content = (b"\x0a" + write_varint(len(text)) + text + b"\x15" + struct.pack("<f", 0)
               + b"\x18" + write_varint(CONTROL))
    return b"\x0a" + write_varint(len(content)) + content


source, target = Path(sys.argv[1]), Path(sys.argv[2])
shutil.copytree(source, target, dirs_exist_ok=True)
fields = list(read_fields((source / "tokenizer.model").read_bytes()))
pieces = [i for i, field in enumerate(fields) if field[0] == 1]
for i, name in zip(pieces[-len(MARKS):], MARKS):
    fields[i] = (1, make_piece(name), b"")
(target / "tokenizer.model").write_bytes(b"".join(field[1] for field in fields))
for name in ("tokenizer_config.json", "tokenizer.json"):
    (target / name).unlink(missing_ok=True)
