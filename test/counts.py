"""counts.py - the last line of every test in Python, and its status"""
import sys


def report(name, passed, failed, skipped=0):
    """Prints the counts. Returns the status to end with: 1 if something failed, and if nothing was tested."""
    if not passed and not failed:
        print("FAILED: %s tested nothing" % name, file=sys.stderr)
    print("%s: %d passed, %d failed, %d skipped" % (name, passed, failed, skipped))
    return int(failed > 0 or passed == 0)
