#!/usr/bin/env python3
"""compare_angles.py BUILD - sines and cosines of rotary embeddings at all kinds of positions, against decimal arithmetic of 90 digits (standard library only).

BUILD/test/print_angles prints them. `compare_angles.py --table` prints the tables of test/test_rope.c.
"""
import math, random, struct, subprocess, sys
from decimal import Decimal, getcontext

from counts import report

getcontext().prec = 90
FIXED_FROM = 1 << 20  # ROPE_FIXED_FROM
END = 1 << 48  # BRISE_POSITION_END


def arctan_inverse(n):
    total, power, k = Decimal(0), Decimal(1) / n, 1
    while abs(power) > Decimal(10) ** -95:
        total += power / k
        power /= -n * n
        k += 2
    return total


TURN = 8 * (4 * arctan_inverse(5) - arctan_inverse(239))  # Machin 1706


def sine_cosine(angle):
    angle %= TURN
    if angle > TURN / 2:
        angle -= TURN
    sine, cosine, term, k = Decimal(0), Decimal(0), Decimal(1), 0
    while abs(term) > Decimal(10) ** -60:
        if k % 2:
            sine += term if k % 4 == 1 else -term
        else:
            cosine += term if k % 4 == 0 else -term
        k += 1
        term *= angle / k
    return sine, cosine


def frequency(theta, head_dim, i):
    return (-Decimal(theta).ln() * 2 * i / head_dim).exp()


def half_unit(x):
    """Half a unit in the last place of a float as large as x."""
    return Decimal(2) ** (math.frexp(float(x))[1] - 25) if abs(x) > Decimal(2) ** -126 else Decimal(2) ** -150


def check(build):
    rng = random.Random(15)
    cases = [(theta, 128, position) for theta in (1e4, 1e6) for position in
             (0, 1, 4095, 32767, FIXED_FROM - 1, FIXED_FROM, FIXED_FROM + 1, 10**7, 2**28 - 1, 2**28, 2**32 - 1, 2**32, 2**40, END - 1)]
    for _ in range(40):
        theta = rng.choice((1.0, 1.5, 1e4, 5e5, 1e6, 9.99e14, rng.uniform(1, 1e7)))
        cases.append((theta, 2 * rng.randint(1, 256), rng.randrange(1 << rng.randint(1, 48))))
    lines = "".join("%r %d %d\n" % case for case in cases)
    printed = subprocess.run([build + "/test/print_angles"], input=lines, text=True, check=True, stdout=subprocess.PIPE).stdout
    passed = failed = 0
    worst = {False: Decimal(0), True: Decimal(0)}  # beyond rounding to float, in double and in fixed point
    for (theta, head_dim, position), line in zip(cases, printed.splitlines(), strict=True):
        values = [Decimal(float.fromhex(word)) for word in line.split()]
        half, off = head_dim // 2, Decimal(-1)
        for i in range(half):
            sine, cosine = sine_cosine(position * frequency(theta, head_dim, i))
            off = max(off, abs(values[i] - cosine) - half_unit(cosine), abs(values[half + i] - sine) - half_unit(sine))
        fixed = position >= FIXED_FROM
        worst[fixed] = max(worst[fixed], off)
        good = len(values) == 2 * half and off < Decimal(2) ** (-49 if fixed else -30)
        passed, failed = passed + good, failed + (not good)
        if not good:
            print("theta %r, head_dim %d, position %d: off by rounding to float and %.3g" % (theta, head_dim, position, off))
    print("beyond rounding to float: below position %d %.2g, from there %.2g" % (FIXED_FROM, worst[False], worst[True]))
    return report("angles", passed, failed)


def table():
    for theta, head_dim, position in ((1e4, 128, 10**7), (1e4, 128, 2**20 - 1), (1e4, 128, 2**20), (1e6, 128, 2**28 - 1), (1e6, 128, 2**40),
                                      (1e4, 128, 2**40 + 1), (1e6, 128, 2**48 - 1), (9.99e14, 512, 2**48 - 1), (5e5, 20, 2**45 + 12345)):
        half = head_dim // 2
        for i in (0, 1, half // 2, half - 1):
            sine, cosine = sine_cosine(position * frequency(theta, head_dim, i))
            print("\t{ %r, %d, %d, UINT64_C(%d), %.17g, %.17g }," % (theta, head_dim, i, position, cosine, sine))
    for theta, head_dim, i in ((1e4, 128, 0), (1e4, 128, 1), (1e4, 128, 63), (1e6, 128, 40), (9.99e14, 512, 255), (1.0, 20, 9)):
        turns = int(frequency(theta, head_dim, i) / TURN * 2**128)
        print("\t{ %r, %d, %d, UINT64_C(0x%016x), UINT64_C(0x%016x) }," % (theta, head_dim, i, turns >> 64, turns & (2**64 - 1)))


if sys.argv[1:] == ["--table"]:
    table()
else:
    sys.exit(check(sys.argv[1]))
