"""examples.py - the examples of the documents: which there are, which test runs them, and a folder to paste them in (standard library)

An example is a block that is indented or fenced. TESTS names for every section with examples the script that has them; readme.py
fails where a document has a section that is not named there. Each script unpacks the blocks of a section by their number, so that
one more is a failure too.
"""
import collections, os, re, subprocess, sys

from counts import report

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PATIENCE = 300
TESTS = {
    "README.md": {
        "Two commands": "readme",
        "Raspberry Pi, step by step": "readme",
        "More accurate, or smaller": "readme",
        "Running": "readme",
        "Talking": "readme",
        "Texts by a schema": "readme_serving",
        "Serving": "readme_serving",
        "Batches": "readme_serving",
        "Little memory": "readme",
        "The library": "readme",
        "The house": "readme",
        "Building": "readme",
    },
    "quant/FORMAT.md": {"": "documents", "Configuration": "documents", "Tokenizer": "documents", "Matrices: tiles of 16 rows": "documents"},
    "runtime/BOARDS.md": {"": "past_one_board"},
    "runtime/CHAT.md": {"": "documents", "Files of affixes": "documents"},
    "runtime/FIRMWARE.md": {"The library": "documents", "Memory": "documents", "A static program": "documents"},
    "runtime/GRAMMARS.md": {"GBNF": "readme_serving"},
    "runtime/README.md": {"": "readme"},
    "runtime/SERVE.md": {"POST /v1/responses": "readme_serving", "POST /tokenize, /detokenize": "readme_serving"},
    "test/models/breeze-chat/README.md": {"": "documents", "Training": "documents"},
}

Result = collections.namedtuple("Result", "command shown status out err")


class Statements:
    """Counts what a test states."""

    def __init__(self):
        self.counts = collections.Counter()

    def holds(self, name, condition, detail=""):
        self.counts["passed" if condition else "failed"] += 1
        if not condition:
            print("FAILED: %s: %s" % (name, detail), file=sys.stderr)

    def skip(self, name, why):
        self.counts["skipped"] += 1
        print("skipped: %s: %s" % (name, why), file=sys.stderr)

    def try_section(self, test, blocks, *more):
        """test(blocks, ...) unpacks as many blocks as it knows."""
        try:
            test(blocks, *more)
        except (ValueError, KeyError, OSError, subprocess.SubprocessError) as wrong:
            self.holds(test.__name__, False, "%r, with the examples %r" % (wrong, blocks))

    def report(self, name):
        return report(name, self.counts["passed"], self.counts["failed"], self.counts["skipped"])


def read_text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def read_documents():
    """Paths of all documents, below the root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if f not in (".git", "build", "node_modules"))
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in sorted(names) if name.endswith(".md")]
    return found


def read_blocks(path):
    """{section: [text]} of the blocks that are indented or fenced; the section before the first is ""."""
    blocks, section, lines, is_fence, is_after_blank = collections.defaultdict(list), "", None, False, True
    for line in read_text(path).splitlines(True) + ["\n", "end\n"]:
        if is_fence:
            if line.startswith("```"):
                blocks[section].append("".join(lines))
                lines, is_fence = None, False
            else:
                lines.append(line)
        elif line.lstrip().startswith("```"):
            lines, is_fence = [], True
        elif line.startswith("    ") and (lines or is_after_blank):
            lines = (lines or []) + [line[4:]]
        elif lines:
            blocks[section].append("".join(lines))
            lines = None
        if not is_fence and line.startswith("## "):
            section = line[3:].strip()
        is_after_blank = not line.strip()
    return dict(blocks)


def examples_of(tester):
    """{(document, section): [text]} of what the script runs."""
    found = {}
    for path, sections in TESTS.items():
        blocks = read_blocks(path)
        found.update({(path, section): blocks.get(section, []) for section, name in sections.items() if name == tester})
    return found


def read_commands(block):
    """[(command, what is shown below it)]: a command begins behind "$ ", or fills its line where no line of the block begins so."""
    commands, continues = [], False
    has_prompts = re.search(r"^\$ ", block, re.M)
    for line in block.splitlines():
        if continues:
            commands[-1][0] += "\n" + line
        elif line.startswith("$ ") or not has_prompts:
            commands.append([line.removeprefix("$ "), ""])
        elif commands:
            commands[-1][1] += line + "\n"
        continues = continues and not line.strip() or line.rstrip().endswith(("|", "\\"))
    return [tuple(c) for c in commands]


class Folder:
    """Where commands are pasted. It is their home, too."""

    def __init__(self, path, build):
        self.path = path
        self.tools = path + "/stand-ins"
        os.makedirs(self.tools)
        self.environment = {**os.environ, "PATH": "%s:%s:%s" % (self.tools, os.path.abspath(build), os.environ["PATH"]), "HOME": path,
                            "XDG_CACHE_HOME": path + "/cache", "XDG_DATA_HOME": path + "/data"}
        self.environment.pop("BRISE_ARCH", None)

    def link(self, name, target):
        os.symlink(os.path.join(ROOT, target), os.path.join(self.path, name))

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def read(self, name):
        with open(os.path.join(self.path, name), errors="replace") as f:
            return f.read()

    def stand_in(self, name, script):
        """A command of that name, for what is not on this machine or must not be done here."""
        self.write("stand-ins/" + name, "#!/bin/sh\n" + script)
        os.chmod(os.path.join(self.tools, name), 0o755)

    def run(self, command, text="", patience=PATIENCE):
        """(status, standard output, standard error)"""
        done = subprocess.run(["sh", "-c", command], cwd=self.path, env=self.environment, input=text, capture_output=True, timeout=patience, text=True,
                              errors="replace")
        return done.returncode, done.stdout, done.stderr

    def paste(self, commands, text="", within="."):
        """Runs the commands one after another in one shell, each with text as its standard input. [Result]

        Commands as read_commands gives them, or (command, shown, what to run instead).
        """
        self.write("pasted.text", text)
        at = os.path.join(self.path, "pasted")
        script = ["cd '%s' || exit" % within]
        for i, command in enumerate(commands):
            script.append("{\n%s\n} >'%s.%d.out' 2>'%s.%d.err' <'%s.text'\necho $? >'%s.%d.status'" % (command[-1] if len(command) > 2 else command[0], at, i, at, i, at, at, i))
        status, _, err = self.run("\n".join(script))
        results = []
        for i, command in enumerate(commands):
            name = "pasted.%d." % i
            if not os.path.exists(os.path.join(self.path, name + "status")):
                results.append(Result(command[0], command[1], "status %d, not reached" % status, "", err))
                continue
            results.append(Result(command[0], command[1], int(self.read(name + "status")), self.read(name + "out"), self.read(name + "err")))
            for kind in "status", "out", "err":
                os.remove(os.path.join(self.path, name + kind))
        return results
