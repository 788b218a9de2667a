"""Prints runtime/console/width_ranges.h from the Unicode data of this Python (3.13 has 15.1).

    python3 test/width_ranges.py >runtime/console/width_ranges.h
"""

import sys
import unicodedata


def is_joined(c):
    """No column of its own: marks, format characters, the second half of Hangul syllables."""
    category = unicodedata.category(chr(c))
    if 0x1160 <= c <= 0x11FF or 0xD7B0 <= c <= 0xD7FB:
        return True
    # Soft hyphen and the number signs of Arabic and Kaithi are format characters that are seen.
    if c == 0xAD or 0x600 <= c <= 0x605 or c in (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD):
        return False
    return category in ("Mn", "Me", "Cf")


def is_spacing(c):
    return unicodedata.category(chr(c)) == "Mc"


def is_wide(c):
    return unicodedata.east_asian_width(chr(c)) in "WF" and not is_joined(c)


def ranges(holds, end):
    first = None
    for c in range(0x80, end + 1):
        if c < end and holds(c):
            first = c if first is None else first
        elif first is not None:
            yield first, c - 1
            first = None


def print_table(name, holds, end=0x20000):
    print(f"static const width_range {name}[] = {{")
    line = "\t"
    for first, last in ranges(holds, end):
        entry = f"{{ {first:#x}, {last:#x} }},"
        if len(line) + 7 + len(entry) + 1 > 100:
            print(line.rstrip())
            line = "\t"
        line += entry + " "
    print(line.rstrip())
    print("};")


version = ".".join(unicodedata.unidata_version.split(".")[:2])
print(f"""/* width_ranges.h - characters that do not take one column, as first and last code points
 *
 * Unicode {version}; made by test/width_ranges.py. East_Asian_Width W and F are wide; general categories
 * Mn, Me and Cf (without those that are seen) and the medial and final letters of Hangul join the
 * character before them; Mc join it and take a column. Planes 2 and 3 are wide and not listed, the
 * tags and variation selectors of plane 14 join and are not listed.
 */
#ifndef CONSOLE_WIDTH_RANGES_H
#define CONSOLE_WIDTH_RANGES_H

#include <stdint.h>

typedef struct width_range {{
	uint32_t first, last;
}} width_range;

/* clang-format off */""")
print_table("joined_ranges", is_joined)
print()
print_table("spacing_ranges", is_spacing)
print()
print_table("wide_ranges", is_wide)
print("""/* clang-format on */

#endif""")
