#!/usr/bin/env python3
"""readme.py BUILD - pastes the examples of README.md that are no server's into a shell and runs them (standard library, a C compiler)

BUILD is where `make` has built. breeze stands for Mistral 7B and breeze-chat for its instruct model. Stand-ins, said when they are
used, do what needs a network or another machine. Sections of the server are run by readme_serving.py and past_one_board.py.

It also compares what README says in passing with the program: commands, options, and messages.
"""
import json, os, re, sys, tempfile

from examples import ROOT, TESTS, Folder, Statements, examples_of, read_blocks, read_commands, read_documents, read_text

build = sys.argv[1]
statements = Statements()
holds, skip = statements.holds, statements.skip
PROMPT = "The capital of France is"
# Options of other programs, that documents name.
FOREIGN_OPTIONS = {"--cflags", "--libs", "--local-dir", "--exclude", "--wd", "--array", "--exclusive", "--requeue"}
# Commands in a line of text, and what is run of each; None: run by readme_serving.py or past_one_board.py.
SPANS = {
    "brise COMMAND --help": "brise run --help",
    "brise run MODEL [PROMPT]": "brise run MODEL 'A file' -n 5",
    "brise chat MODEL": "echo Hello | brise chat mistral-7b-instruct.brise",
    "brise chat MODEL --resume": "echo Bye | brise chat mistral-7b-instruct.brise --resume",
    "brise serve MODEL": None,
    "brise serve MODEL --host 0.0.0.0": None,
    "brise serve --loose-tools": None,
    "brise batch MODEL IN.jsonl OUT.jsonl": None,
    "brise batch --loose-tools": None,
    "brise convert CHECKPOINT OUT.brise": "brise convert ~/Mistral-7B-v0.1 out.brise --type f16",
    "brise calibrate CHECKPOINT --text FILE -o FILE.cal": "brise calibrate ~/Mistral-7B-v0.1 --text letter.txt -o letter.cal",
    "brise export MODEL OUT.gguf": "brise export out.brise out.gguf",
    "brise convert FILE.gguf OUT.brise": "brise convert out.gguf again.brise --effort fast",
    "brise info MODEL": "brise info MODEL",
    "brise info --threads 4": "brise info MODEL --threads 4",
    "brise info MODEL --verify": "brise info MODEL --verify",
    "brise tokenize MODEL [TEXT]": "brise tokenize MODEL 'A file' >FILE",
    "brise tokenize MODEL TEXT --control": "brise tokenize MODEL 'A file</s>' --control",
    "brise logits MODEL --ids FILE --out FILE": "brise logits MODEL --ids FILE --out logits",
    "brise perplexity MODEL --text FILE": "brise perplexity MODEL --text letter.txt --against out.brise",
    "brise perplexity MODEL --ids FILE --window N --sinks S": "brise perplexity MODEL --ids FILE --window 64 --sinks 4",
    "brise compare A B": "brise compare out.brise again.brise",
    "brise bench MODEL": "brise bench MODEL",
    "brise bench MODEL --arch SET": "brise bench MODEL --arch scalar --help",
    "brise bench MODEL --drafts": "brise bench MODEL --drafts --help",
    "brise bench MODEL --memory 900M": "brise bench MODEL --memory 900M --help",
    "brise bench --kernels": "brise bench --kernels --help",
    "brise bench --kernels --svg roofline.svg": "brise bench --kernels --svg roofline.svg --help",
    "brise bench --threads 1..8": "brise bench --threads 1..8 --help",
}


def succeeds(results):
    for r in results:
        holds("$ " + r.command, r.status == 0, (r.status, r.out[-300:], r.err[-600:]))
    return results


def paste(folder, block, text="", within=".", instead=()):
    """Pastes a block, with strings put in the place of others."""
    commands = read_commands(block)
    for old, new in instead:
        commands = [(*c[:2], c[-1 if len(c) > 2 else 0].replace(old, new)) for c in commands]
    return succeeds(folder.paste(commands, text, within))


# ---- sections -------------------------------------------------------------------------------------------------------


def try_two_commands(blocks, folder):
    first, demo = blocks
    convert, run = paste(folder, first)
    holds("run prints the continuation without the prompt", run.out.strip() and not run.out.startswith(PROMPT), run.out)
    make, chat = paste(folder, demo, "Hello\n", within=ROOT)
    holds("make demo prints text and answers", make.out.count("\n> ") == 4, make.out)
    holds("chat answers", len(chat.out.strip()) > 4, chat.out)


# A clone takes what git knows as it lies here, and the objects that were made of it, so that make has to link alone.
CLONE = r"""
[ "$1 $2" = "clone URL" ] && mkdir -p "$3" && cd '%(root)s' || exit
PATH='%(path)s' git ls-files -z --cached --others --exclude-standard | xargs -0 cp -P --parents -t "$OLDPWD/$3" && mkdir "$OLDPWD/$3/build" && cp -R '%(build)s/obj' "$OLDPWD/$3/build"
"""
DOWNLOAD = r"""
[ "$1 $3 $5" = "download --local-dir --exclude" ] || exit
case "$2" in
mistralai/Mistral-7B-v0.1) model=breeze ;;
mistralai/Ministral-3-3B-Instruct-2512) model=breeze-chat ;;
*) exit 1 ;;
esac
mkdir "$4" && ln -s '%(root)s/test/models/'$model/* "$4"
"""
# Packages are those whose commands are there.
SUDO = r"""
[ "$1 $2" = "apt install" ] || exit
shift 2
for package in "$@"; do command -v "$package" >/dev/null || { echo "no $package"; exit 1; }; done
"""
SCP = r"""
[ "$2" = pi@raspberrypi.local: ] && cp "$1" '%(board)s'
"""


def try_raspberry(blocks, home):
    laptop, board, instruct = blocks
    folder, other = Folder(home.path + "/laptop", build), Folder(home.path + "/board", build)
    names = {"root": ROOT, "build": os.path.abspath(build), "board": other.path, "path": os.environ["PATH"]}
    for name, script in ("git", CLONE), ("hf", DOWNLOAD), ("sudo", SUDO), ("scp", SCP):
        for f in folder, other:
            f.stand_in(name, script % names)
    print("stand-ins: sudo apt (the commands are there), git clone (these sources, and their objects), hf download (breeze, breeze-chat), scp (a folder)", file=sys.stderr)
    paste(folder, laptop)
    # "after the same first two lines"
    results = succeeds(other.paste(read_commands(laptop)[:2] + read_commands(board)))
    holds("info --verify and run work on the board", "verif" in results[2].out + results[2].err and results[3].out.strip(), results[2:])
    succeeds(folder.paste(read_commands(instruct), within="brise"))
    talk = re.search(r"on the board, `(build/brise chat [^`]+)`", read_text("README.md"))
    chat, = succeeds(other.paste([(talk.group(1), "")], "Hello\n", within="brise"))
    holds("chat answers on the board", len(chat.out.strip()) > 4, chat.out)


def try_models(blocks, folder):
    calibration, = blocks
    folder.write("notes.txt", read_text("test/models/breeze/writing.txt")[:16000])  # 4,400 tokens
    calibrate, convert = paste(folder, calibration)
    text = calibrate.out + calibrate.err
    holds("the text is as long as README asks for", int(re.search(r"(\d+) tokens", text).group(1)) >= 4096, text)


def try_running(blocks, folder):
    first, session = blocks
    folder.write("letter.txt", "Dear Leopold,\n\nthe file is in the module, and the shell reads it. ")
    with_stats, from_file, _ = paste(folder, first)
    holds("--stats prints tokens per pass", "tokens" in with_stats.err, with_stats.err)
    holds("the same seed gives the same text", from_file.out == folder.paste([(from_file.command, "")])[0].out and from_file.out, from_file.out)
    holds("the text goes to standard output", len(folder.read("story.txt")) > 50)
    begun, continued = paste(folder, session, instead=[("-n 100", "-n 100 --seed 3")])
    whole = folder.paste([("brise run mistral-7b.brise --file letter.txt -n 100 --temperature 0 --session one", ""),
                          ("brise run mistral-7b.brise --continue -n 100 --temperature 0 --session one", ""),
                          ("brise run mistral-7b.brise --file letter.txt -n 200 --temperature 0", "")])
    holds("--continue goes on with the bits of one piece", whole[0].out + whole[1].out == whole[2].out, [r.out for r in whole])
    holds("a session is kept", begun.out and continued.out and os.path.getsize(folder.path + "/letter.session") > 0)


def try_talking(blocks, folder):
    talk, lines = blocks
    succeeds(folder.paste([("brise convert '%s/test/models/breeze-chat' mistral-7b-instruct.brise" % ROOT, "")]))
    chat, question = paste(folder, talk, "Hello\n")
    holds("chat and run --chat answer", chat.out.strip() and question.out.strip(), (chat, question))
    answer, = paste(folder, lines, instead=[("MODEL", "mistral-7b-instruct.brise")])
    shown, got = json.loads(answer.shown), json.loads(answer.out)
    form = lambda v: {k: form(x) for k, x in v.items()} if isinstance(v, dict) else type(v)
    holds("--jsonl answers in the form that is shown", form(shown) == form(got) and list(shown) == list(got) and got["message"]["role"] == "assistant"
          and got["finish_reason"] == shown["finish_reason"], answer.out)
    holds("and with its spaces", answer.out == json.dumps(got, separators=(",", ":"), ensure_ascii=False) + "\n", answer.out)


def try_little_memory(blocks, folder):
    block, = blocks
    info, _ = paste(folder, block)
    holds("info --memory prints the plan", "memory" in info.out, info.out)
    # breeze fits in 3G: the same with less than it takes.
    info, run, all_of_it = succeeds(folder.paste([("brise info mistral-7b.brise --memory min", ""), ("brise run mistral-7b.brise 'A file' -n 20 --seed 1 --memory min", ""),
                                                  ("brise run mistral-7b.brise 'A file' -n 20 --seed 1 --memory all", "")]))
    holds("every size gives the same text", run.out == all_of_it.out and run.out, (run.out, all_of_it.out))
    for word in "kept", "read", "tokens/s":
        holds("the plan says what is %s" % word, word in info.out, info.out)


def try_building(blocks, folder):
    block, = blocks
    commands = read_commands(block)
    kept = [c for c in commands if not re.match(r"make test\b", c[0])]
    holds("make test is one of the commands", len(kept) == len(commands) - 1, commands)
    skip("make test", "it takes longer than this test may, and is .ci/run's first step")
    succeeds(folder.paste(kept, within=ROOT))
    for name in "bin/brise", "lib/libbrise.a", "include/brise.h", "lib/pkgconfig/brise.pc":
        holds("make install installs " + name, os.path.exists(folder.path + "/.local/" + name))


def try_library(blocks, folder):
    """After try_building, which installs it."""
    source, commands = blocks
    folder.write("example.c", source)
    folder.link("brise", ROOT)
    # The commands are a user's; warnings are errors here.
    compiler = os.environ.get("CC", "cc")
    folder.stand_in("cc", 'PATH="%s" exec %s -Wall -Wextra -Werror "$@"\n' % (os.environ["PATH"], compiler))
    expected = folder.run("brise run mistral-7b.brise '%s' -n 50 --seed 0" % PROMPT)[1]
    run = ("rm example && echo done", "", "./example mistral-7b.brise '%s' && rm example" % PROMPT)
    export, installed, in_place = read_commands(commands)
    done = succeeds(folder.paste([export, installed, run, in_place, run]))
    for r in done[2], done[4]:
        holds("the example prints what brise run does", r.out == expected.lstrip(" ") + "\n" and expected.strip(), (r.out, expected))


def try_house(blocks, readme):
    flow, = blocks
    holds("runtime/README.md shows the same flow", [flow] == readme, readme)
    for name in re.findall(r"[a-z]+/[a-z]*", flow):
        holds("%s is there" % name, os.path.isdir(os.path.join(ROOT, name)) or os.path.isfile(os.path.join(ROOT, name + ".c")))


# ---- what is said in passing ----------------------------------------------------------------------------------------


def spans(text):
    return re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def try_commands(folder):
    """The table of commands and brise --help name the same."""
    listed = re.findall(r"^  (\w+) ", folder.run("brise --help")[1], re.M)
    table = re.findall(r"^\| `brise (\w+)", read_text("README.md"), re.M)
    holds("README's table has every command", sorted(listed) == sorted(table) and listed, (listed, table))
    return "\n".join(folder.run("brise %s --help" % c)[1] for c in listed)


def try_spans(folder):
    """Commands in a line of text, those that have arguments."""
    found = {re.sub(r"\s+", " ", s) for path in read_documents() for s in spans(read_text(path))}
    found = {s for s in found if re.match(r"brise \w+ .", s)}
    holds("a test knows every command in a line of text", found == set(SPANS), sorted(found ^ set(SPANS)))
    succeeds(folder.paste([(s, "", run.replace("MODEL", "mistral-7b.brise")) for s, run in SPANS.items() if run and s in found]))


def try_links(path):
    """What a document links to, and files and folders that it names."""
    text, here = read_text(path), os.path.dirname(path)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    for target, _, section in (link.partition("#") for link in links):
        target = os.path.join(here, target) if target else path
        is_there = os.path.exists(os.path.join(ROOT, target))
        headings = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)", read_text(target), re.M)] if is_there and section else [section]
        holds("%s links to %s#%s" % (path, target, section), is_there and section in headings)
    rooms = "quant", "runtime", "arch", "convert", "bench", "test"
    for name in set(spans(text)):
        if re.fullmatch(r"(%s)/[\w./-]*" % "|".join(rooms), name):
            holds("%s names %s" % (path, name), os.path.exists(os.path.join(ROOT, name)))
        for script in re.findall(r"^(?:sh|python3) (\S+)", name):
            holds("%s names %s" % (path, script), os.path.exists(os.path.join(ROOT, script)))


def try_options(path, helps, sources):
    """Options in the text or in the examples of a document are in the help of some command, or names of other programs that are taken."""
    text = read_text(path)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(spans(text) + [b for bs in read_blocks(path).values() for b in bs])))
    unknown = sorted(o for o in named - FOREIGN_OPTIONS if not re.search(re.escape(o) + r"\b(?!-)", helps) and '"%s"' % o not in sources)
    holds("%s names options that there are" % path, not unknown, unknown)


def read_sources():
    """What the program is made of, strings in one piece."""
    paths = [os.path.join(folder, name) for room in ("runtime", "convert", "bench") for folder, _, names in os.walk(os.path.join(ROOT, room)) for name in names]
    return re.sub(r'"\s*\n\s*"', "", "".join(read_text(path) for path in paths if path.endswith(".c")))


def try_messages(sources):
    """Every message of the table is one of the program's, but for the parts that differ."""
    section = read_text("README.md").partition("\n## When it does not work\n")[2].partition("\n## ")[0]
    messages = [m for row in re.findall(r"^\| (.*?) \|", section, re.M) for m in re.findall(r"`([^`]+)`", row)]
    holds("the table has messages", len(messages) > 5, section)
    for message in messages:
        parts = [p.strip() for p in re.split(r"\.\.\.|^is |, | FILE\S*| OUT\S*", message) if p.strip()]
        missing = [p for p in parts if p not in sources]
        holds("a message has %r" % message, not missing or message == "Killed", missing)


def try_catalogue():
    for path in read_documents():
        known = TESTS.get(path, {})
        sections = {section for section, blocks in read_blocks(path).items() if blocks}
        holds("%s: a test knows every section with examples" % path, sections == set(known), sorted(sections ^ set(known)))
    for name in {name for sections in TESTS.values() for name in sections.values()}:
        holds(".ci/run runs %s.py" % name, "test/%s.py" % name in read_text(".ci/run"))


def main():
    examples = examples_of("readme")
    readme = {section: blocks for (path, section), blocks in examples.items() if path == "README.md"}
    try_catalogue()
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path, build)
        folder.link("Mistral-7B-v0.1", "test/models/breeze")
        helps, sources = try_commands(folder), read_sources()
        for document in read_documents():
            try_options(document, helps, sources)
            try_links(document)
        try_messages(sources)
        statements.try_section(try_house, readme.pop("The house"), examples["runtime/README.md", ""])
        tests = {"Two commands": try_two_commands, "Running": try_running, "Talking": try_talking, "Little memory": try_little_memory, "Building": try_building,
                 "The library": try_library, "More accurate, or smaller": try_models, "Raspberry Pi, step by step": try_raspberry}
        for section, test in tests.items():
            statements.try_section(test, readme.pop(section), folder)
        try_spans(folder)
        holds("every section has a test", not readme, readme)
    return statements.report("readme")


if __name__ == "__main__":
    sys.exit(main())
