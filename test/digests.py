"""digests.py - the types with a codebook, q4 and its siblings: those of which test/digest.sha256 has a digest"""
import os, re

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "digest.sha256")) as file:
    BOOK_TYPES = re.findall(r" breeze (\w+): ", file.read())
