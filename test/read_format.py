#!/usr/bin/env python3
"""read_format.py MODEL ROWS - a reader of .brise files written from quant/FORMAT.md alone (standard library only).

ROWS is what build/test/print_rows printed of the same file with the C reader: per tensor a JSON line with name, type,
shape and the bits of some rows. The page is true if both readers agree on every checksum, place and float.
"""
import json, struct, sys, zlib

from counts import report

KINDS = {1: "embedding", 2: "attention_norm", 3: "wq", 4: "wk", 5: "wv", 6: "wo", 7: "ffn_norm", 8: "w1", 9: "w3", 10: "w2",
         11: "final_norm", 12: "output"}
CODEBOOK = [-63, -46, -35, -27, -20, -14, -8, -3, 2, 7, 12, 17, 23, 30, 38, 47]
MAGNITUDES = [0, 8, 14, 17, 21, 24, 28, 31, 34, 37, 40, 43, 46, 49, 53, 59]
SHIFTS = [-8, -6, -4, -2, 0, 2, 4, 7]
CODEBOOK_3 = [-56, -33, -19, -8, 2, 12, 24, 40]
MAGNITUDES_3 = [0, 7, 16, 19, 22, 25, 27, 30, 33, 35, 37, 39, 42, 45, 50, 56]
SHIFTS_3 = [-11, -7, -4, -1, 2, 5, 8, 11]


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def row_floats(data, kind, rows, cols, row):
    if kind == 1:
        return list(struct.unpack_from("<%df" % cols, data, row * cols * 4))
    groups, lane = (cols + 127) // 128, row % 16
    size = {2: 4096 * groups, 3: 64 + 2112 * groups, 4: 64 + 1088 * groups, 5: 64 + 832 * groups}[kind]
    tile = data[row // 16 * size:][:size]
    if kind == 2:
        return [struct.unpack_from("<e", tile, (c * 16 + lane) * 2)[0] for c in range(cols)]
    scale, out = struct.unpack_from("<f", tile, lane * 4)[0], []
    for c in range(cols):
        block, i = c // 32 % 4, c % 32
        group = tile[64 + c // 128 * {3: 2112, 4: 1088, 5: 832}[kind]:]
        s = group[block * 16 + lane]
        if kind == 3:
            code = struct.unpack_from("<b", group, 64 + block * 512 + i // 4 * 64 + lane * 4 + i % 4)[0]
            out.append(f32(scale * (s * code)))
        elif kind == 4:
            byte = group[64 + block * 256 + i % 16 // 4 * 64 + lane * 4 + i % 4]
            code = byte & 15 if i < 16 else byte >> 4
            magnitude = MAGNITUDES[s & 15] * (-1 if s & 128 else 1)
            out.append(f32(scale * (magnitude * (CODEBOOK[code] + SHIFTS[s >> 4 & 7]))))
        else:
            nibbles = [group[64 + block * 192 + j * 64 + lane * 4 + i % 4] >> i // 16 * 4 & 15 for j in range(3)]
            bits = [[n >> b & 1 for b in (3, 2, 1, 0)] for n in nibbles]
            j = i % 16 // 4
            code = [bits[0][0], bits[1][1], bits[2][2]] if j == 3 else bits[j][:j] + bits[j][j + 1:]
            magnitude = MAGNITUDES_3[s & 15] * (-1 if s & 128 else 1)
            out.append(f32(scale * (magnitude * (CODEBOOK_3[code[0] * 4 + code[1] * 2 + code[2]] + SHIFTS_3[s >> 4 & 7]))))
    return out


def main(path, rows_path):
    data, passed, failed = open(path, "rb").read(), 0, 0

    def check(what, good):
        nonlocal passed, failed
        passed, failed = passed + bool(good), failed + (not good)
        if not good:
            print("FAILED:", what, file=sys.stderr)

    magic, version, entry, length, n, table_crc = struct.unpack_from("<8sIIQII", data)
    check("header", magic == b"BRISE\r\n\x1a" and version in (1, 2) and length == len(data) and struct.unpack_from("<I", data, 60)[0] == zlib.crc32(data[:60]))
    check("section table", zlib.crc32(data[64:64 + n * entry]) == table_crc)
    sections = {}
    for i in range(n):
        kind, _, offset, size, crc = struct.unpack_from("<IIQQI", data, 64 + i * entry)
        sections[kind] = data[offset:offset + size]
        check("section %d" % kind, offset % 64 == 0 and zlib.crc32(sections[kind]) == crc)
    check("configuration", len(sections[1]) >= (64 if version == 1 else 128))
    n_layers, window = struct.unpack_from("<I", sections[1], 4)[0], struct.unpack_from("<I", sections[1], 28)[0]
    if version >= 2:
        flags, scaling, factor, fast, slow, magnitude, original, step, beta = struct.unpack_from("<IIddddIId", sections[1], 64)
        check("positions", flags <= 1 and scaling <= 2 and (scaling == 0 or factor >= 1) and magnitude >= 0 and (scaling < 2 or (fast >= slow > 0 and original > 0))
              and beta >= 0 and (beta == 0 or step > 0))
    if 9 in sections:
        windows = struct.unpack("<%dI" % n_layers, sections[9])
        check("windows", window == (max(windows) if all(windows) else 0))
    vocab, = struct.unpack_from("<I", sections[1], 24)
    ends = struct.unpack("<%di" % (len(sections.get(5, b"")) // 4), sections.get(5, b""))
    check("end tokens", len(ends) <= 256 and all(0 <= i < vocab for i in ends) and len(set(ends)) == len(ends))
    if 6 in sections:
        rule, count = struct.unpack_from("<II", sections[6])
        entries = [struct.unpack_from("<II", sections[6], 8 + 8 * i) for i in range(count)]
        pieces, = struct.unpack_from("<I", sections[3], 24)
        types_at = (64 + 4 * (pieces + 1) + 7) // 8 * 8
        types_at = (types_at + 4 * pieces + 7) // 8 * 8
        check("added tokens", 1 <= rule <= 4 and len(sections[6]) == 8 + 8 * count and [i for i, _ in entries] == sorted({i for i, _ in entries})
              and all(sections[3][types_at + i] in (2, 3, 4) and flags < 32 for i, flags in entries))
    if 7 in sections:
        check("chat template", len(sections[7]) <= 1 << 20 and b"\0" not in sections[7] and sections[7].decode())
    if 8 in sections:
        text = sections[8].decode()
        check("chat format", len(sections[8]) <= 1 << 16 and "\0" not in text and (text in ("v1", "v2", "v3", "v3-tekken", "v7", "v11", "v13", "chatml", "zephyr", "unknown") or json.loads(text)))
    tensors = [struct.unpack_from("<IIIIIIQQf", sections[2], at) for at in range(0, len(sections[2]), 64)]
    expected = [json.loads(line) for line in open(rows_path)]
    check("number of tensors", len(expected) == len(tensors))
    for (kind, layer, type_, rows, cols, crc, offset, size, error), want in zip(tensors, expected):
        name = KINDS[kind] if kind in (1, 11, 12) else "layers.%d.%s" % (layer, KINDS[kind])
        body = data[offset:offset + size]
        check(name, [name, type_, rows, cols] == [want["name"], want["type"], want["rows"], want["cols"]] and zlib.crc32(body) == crc)
        for row, bits in want["values"].items():
            mine = [struct.unpack("<I", struct.pack("<f", x))[0] for x in row_floats(body, type_, rows, cols, int(row))]
            check("%s row %s" % (name, row), mine == bits)
    return report("read_format", passed, failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
