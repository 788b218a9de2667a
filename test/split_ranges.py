"""Prints runtime/text/split_ranges.h from Unicode's data, as Debian's package unicode-data has it.

    python3 test/split_ranges.py [FOLDER] >runtime/text/split_ranges.h

FOLDER (/usr/share/unicode) holds UnicodeData.txt and PropList.txt of version 15.0 or later. What
15.1 and 16.0 added is listed below, from their UnicodeData.txt: they changed no character that was
there before. test_split compares the result with what Mistral's tokenizer uses.
"""

import pathlib
import sys

OTHER, UPPER, LOWER, LETTER, MARK, NUMBER, SPACE, NEWLINE, FROM_UPPER, FROM_LOWER = range(10)
CLASSES = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": LETTER, "Lo": LETTER}
CLASSES |= {category: MARK for category in ("Mn", "Mc", "Me")}
CLASSES |= {category: NUMBER for category in ("Nd", "Nl", "No")}
END = 0x110000

ADDED = """
2EBF0-2EE5D Lo
0897 Mn, 1C89 Lu, 1C8A Ll, A7CB-A7CC Lu, A7CD Ll, A7DA Lu, A7DB Ll, A7DC Lu, 105C0-105F3 Lo
10D40-10D49 Nd, 10D4A-10D4D Lo, 10D4E Lm, 10D4F Lo, 10D50-10D65 Lu, 10D69-10D6D Mn, 10D6F Lm
10D70-10D85 Ll, 10EC2-10EC4 Lo, 10EFC Mn
11380-11389 Lo, 1138B Lo, 1138E Lo, 11390-113B5 Lo, 113B7 Lo, 113B8-113C0 Mc, 113C2 Mc, 113C5 Mc
113C7-113CA Mc, 113CC-113CD Mc, 113CE Mn, 113CF Mc, 113D0 Mn, 113D1 Lo, 113D2 Mn, 113D3 Lo
113E1-113E2 Mn, 116D0-116E3 Nd, 11BC0-11BE0 Lo, 11BF0-11BF9 Nd, 11F5A Mn, 13460-143FA Lo
16100-1611D Lo, 1611E-16129 Mn, 1612A-1612C Mc, 1612D-1612F Mn, 16130-16139 Nd, 16D40-16D42 Lm
16D43-16D6A Lo, 16D6B-16D6C Lm, 16D70-16D79 Nd, 18CFF Lo, 1CCF0-1CCF9 Nd, 1E5D0-1E5ED Lo
1E5EE-1E5EF Mn, 1E5F0 Lo, 1E5F1-1E5FA Nd
"""


def read_categories(folder):
    """The general category of each code point that has one."""
    categories, first = {}, None
    for line in (folder / "UnicodeData.txt").read_text().splitlines():
        code, name, category = line.split(";")[:3]
        code = int(code, 16)
        if name.endswith(", First>"):
            first = code
        else:
            start = first if name.endswith(", Last>") else code
            categories |= {c: category for c in range(start, code + 1)}
    for entry in ADDED.replace("\n", ",").split(","):
        if entry.strip():
            codes, category = entry.split()
            first, _, last = codes.partition("-")
            categories |= {c: category for c in range(int(first, 16), int(last or first, 16) + 1)}
    return categories


def read_spaces(folder):
    for line in (folder / "PropList.txt").read_text().splitlines():
        fields = line.split("#")[0].split(";")
        if len(fields) == 2 and fields[1].strip() == "White_Space":
            first, _, last = fields[0].strip().partition("..")
            yield from range(int(first, 16), int(last or first, 16) + 1)


def classify(folder):
    classes = [OTHER] * END
    for c, category in read_categories(folder).items():
        classes[c] = CLASSES.get(category, OTHER)
    for c in read_spaces(folder):
        classes[c] = SPACE
    for c in (10, 13):
        classes[c] = NEWLINE
    return classes


def ranges(classes):
    """The first code point of each range and its class; of two letters in turn from four on."""
    c = 0
    while c < END:
        alike = swapping = c
        while alike + 1 < END and classes[alike + 1] == classes[c]:
            alike += 1
        while swapping + 1 < END and {classes[swapping], classes[swapping + 1]} == {UPPER, LOWER}:
            swapping += 1
        if swapping - c >= 3:
            yield c, FROM_UPPER if classes[c] == UPPER else FROM_LOWER
            c = swapping + 1
        else:
            yield c, classes[c]
            c = alike + 1


print("""/* split_ranges.h - classes of characters for the pattern of runtime/text/split.c
 *
 * Unicode 16.0; made by test/split_ranges.py. The last hexadecimal digit of an entry is the class
 * of the characters from the others on, up to the next entry: 0 none of the following; 1 upper and
 * title case; 2 lower case; 3 letters of no case and modifiers; 4 marks; 5 numbers; 6 white space
 * but 7, CR and LF; 8 upper and lower case in turn; 9 lower and upper case in turn.
 */
#ifndef RUNTIME_SPLIT_RANGES_H
#define RUNTIME_SPLIT_RANGES_H

#include <stdint.h>

/* clang-format off */
static const uint32_t split_ranges[] = {""")
row = "\t"
folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode")
for first, kind in ranges(classify(folder)):
    entry = f"0x{first << 4 | kind:x},"
    if len(row) + 7 + len(entry) > 100:
        print(row.rstrip())
        row = "\t"
    row += entry + " "
print(row.rstrip())
print("""};
/* clang-format on */

#endif""")
