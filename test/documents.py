#!/usr/bin/env python3
"""documents.py BUILD - the examples of the documents beside README.md that are no server's: commands are pasted and run, files are read
by the program, layouts and numbers compared with a model's file (standard library, a C compiler)

BUILD is where `make` has built. Sizes that take hours are smaller here; what another script runs is named.
"""
import json, math, os, re, struct, subprocess, sys, tempfile

from examples import ROOT, Folder, Statements, examples_of, read_commands, read_text

build = sys.argv[1]
statements = Statements()
holds, skip = statements.holds, statements.skip
BREEZE_CHAT = "test/models/breeze-chat"


def succeeds(results):
    for r in results:
        holds("$ " + r.command, r.status == 0, (r.status, r.out[-300:], r.err[-600:]))
    return results


# ---- quant/FORMAT.md ------------------------------------------------------------------------------------------------


def try_layout(blocks, folder):
    """Where the parts of a file are. test/read_format.py reads all of it."""
    layout, = blocks
    holds("the layout has four parts", [line.split()[0] for line in layout.splitlines()] == ["header", "section", "sections", "tensors"], layout)
    header_bytes, section_at, tensor_at = (int(re.search(p, layout).group(1)) for p in (r"header +(\d+) bytes at 0", r"sections +at multiples of (\d+)", r"tensors +at multiples of (\d+)"))
    with open(folder.path + "/chat.brise", "rb") as f:
        data = f.read()
    entry_bytes, file_bytes, n = struct.unpack_from("<IQI", data, 12)
    sections = {kind: (at, size) for kind, _, at, size in (struct.unpack_from("<IIQQ", data, header_bytes + i * entry_bytes) for i in range(n))}
    at, size = sections[2]
    tensors = [struct.unpack_from("<QQ", data, at + i + 24) for i in range(0, size, 64)]
    end = header_bytes + n * entry_bytes
    holds("sections are where it says", all(at % section_at == 0 and at >= end for at, _ in sections.values()) and n > 3, sections)
    holds("tensors are where it says", all(at % tensor_at == 0 and at >= end for at, _ in tensors) and tensors == sorted(tensors), tensors)
    holds("nothing is behind them", max(at + size for at, size in tensors) <= file_bytes == len(data), (tensors[-1], file_bytes))


FREQUENCIES = """
#include <stdio.h>
#include "runtime/eval/rope_scaling.h"
int main(void)
{
	format_config c = { .head_dim = HEAD_DIM, .rope_theta = ROPE_THETA, .rope_scaling = ROPE_YARN, .rope_factor = ROPE_FACTOR,
		.rope_beta_fast = ROPE_BETA_FAST, .rope_beta_slow = ROPE_BETA_SLOW, .rope_original = ROPE_ORIGINAL };
	rope_frequency f[HEAD_DIM / 2];
	rope_scaling_fill(f, &c);
	for (unsigned i = 0; i < c.head_dim / 2; i++)
		printf("%.17g\\n", f[i].radians);
	return 0;
}
"""


def try_frequencies(blocks, folder):
    """The page's formulas, as Python has them, against the program's frequencies."""
    lines, = blocks
    turns, low, high, ramp, turned = (re.split(r"   +(?:and|instead)", line)[0].split(" = ")[-1].strip() for line in lines.splitlines())
    folder.write("frequencies.c", FREQUENCIES)
    for d, theta, factor, fast, slow, original in (128, 1e6, 16.0, 32.0, 1.0, 16384), (8, 1e4, 4.0, 32.0, 1.0, 64), (64, 1e8, 2.5, 8.0, 8.0, 4096):
        names = {"d": d, "ln": math.log, "floor": math.floor, "ceil": math.ceil, "pi": math.pi, "min": min, "max": max, "rope_theta": theta,
                 "rope_factor": factor, "rope_beta_fast": fast, "rope_beta_slow": slow, "rope_original": original}
        names["turns"] = lambda r: eval(turns, {**names, "r": r})
        names["low"], names["high"] = eval(low, names), eval(high, names)
        names["high"] += 0.001 * (names["high"] == names["low"])
        expected = []
        for i in range(d // 2):
            names.update(i=i, f=theta ** (-2 * i / d))
            names["ramp"] = eval(ramp, names)
            expected.append(eval(turned, names))
        defines = "-DHEAD_DIM=%d -DROPE_THETA=%r -DROPE_FACTOR=%r -DROPE_BETA_FAST=%r -DROPE_BETA_SLOW=%r -DROPE_ORIGINAL=%d" % (d, theta, factor, fast, slow, original)
        sources = " ".join("'%s/runtime/eval/%s.c'" % (ROOT, name) for name in ("rope_scaling", "rope", "fixed"))
        status, out, err = folder.run("%s -std=c11 -ffp-contract=off -I '%s' %s frequencies.c %s -o frequencies -lm && ./frequencies" % (os.environ.get("CC", "cc"), ROOT, defines, sources))
        found = [float(x) for x in out.split()]
        holds("frequencies are those of the page", len(found) == d // 2 and all(abs(a - b) <= 1e-12 * b for a, b in zip(found, expected)), (err[-600:], found[:4], expected[:4]))
        holds("some pairs are slowed down", any(b < theta ** (-2 * i / d) * 0.99 for i, b in enumerate(expected)), expected)


def try_pattern(blocks):
    shown, = blocks
    with open(os.path.join(ROOT, "test/models/tekken/tekken.json")) as f:
        pattern = json.load(f)["config"]["pattern"]
    holds("the pattern is that of tekken.json", "".join(line.removeprefix("    ") for line in shown.splitlines()) == pattern, (shown, pattern))


def try_formulas(blocks):
    """The numbers are those of test/read_format.py, which compares the weights of files with the program's."""
    q8, q4, tables_4, q3, tables_3 = blocks
    reader = read_text("test/read_format.py")
    for tables, suffix, n_codes in (tables_4, "", 16), (tables_3, "_3", 8):
        for name, constant, n in ("magnitude", "MAGNITUDES", 16), ("shift", "SHIFTS", 8), ("codebook", "CODEBOOK", n_codes):
            shown = [int(x) for x in re.search(r"^%s += (.*)" % name, tables, re.M).group(1).split()]
            read = [int(x) for x in re.search(r"^%s%s = \[(.*)\]" % (constant, suffix), reader, re.M).group(1).split(",")]
            holds("%s%s is what the reader has" % (name, suffix), shown == read and len(shown) == n, (shown, read))
    holds("all formulas begin with the row's scale", all(b.startswith("weight = row_scale[row] * magnitude * ") for b in (q8, q4, q3)), blocks)


# ---- runtime/CHAT.md ------------------------------------------------------------------------------------------------


def make_tokenizer(folder, name, pieces):
    """breeze's, with control tokens in place of its last pieces."""
    if not os.path.exists(folder.path + "/rename"):
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", os.path.join(ROOT, "test/rename_pieces.c"), "-o", folder.path + "/rename"], check=True)
    with open(os.path.join(ROOT, "test/models/breeze/tokenizer.model"), "rb") as old, open(folder.path + "/" + name, "wb") as new:
        subprocess.run([folder.path + "/rename"] + ["%d=%s" % (3990 + i, p) for i, p in enumerate(pieces)], stdin=old, stdout=new, check=True)


def read_pieces(folder, tokenizer, ids):
    """The text of ids, control tokens as they are spelled."""
    folder.write("ids", " ".join(map(str, ids)))
    return folder.run("brise tokenize %s --decode --control <ids" % tokenizer)


def try_tokenize(blocks, folder):
    command, = blocks
    make_tokenizer(folder, "tokenizer.model", ["[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"])
    done, = succeeds(folder.paste(read_commands(command)))
    holds("one list of ids is printed", done.out.count("\n") == 1 and json.loads(done.out)[:2] == [1, 3990] and json.loads(done.out)[-1] == 3991, done.out)


def try_affixes(blocks, folder):
    chatml, vicuna = blocks
    make_tokenizer(folder, "chatml.model", ["<|im_start|>", "<|im_end|>"])
    talk = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Bye"}]}
    folder.write("talk.jsonl", json.dumps(talk) + "\n")
    for name, text in ("chatml", chatml), ("vicuna", vicuna):
        folder.write(name + ".json", text)
    ids = {}
    for name, tokenizer in ("chatml", "chatml.model"), ("vicuna", "chatml.model"):
        result, = succeeds(folder.paste([("brise tokenize %s --chat --jsonl --chat-format %s.json <talk.jsonl" % (tokenizer, name), "")]))
        ids[name] = json.loads(result.out)
    own = folder.run("brise tokenize chatml.model --chat --jsonl --chat-format chatml <talk.jsonl")[1]
    holds("the first file describes what brise knows as chatml", json.loads(own) == ids["chatml"], (own, ids["chatml"]))
    whole = folder.run("brise tokenize chatml.model --control 'Be brief. USER: Hello ASSISTANT: Hi</s>USER: Bye ASSISTANT:'")[1]
    expected = [int(x) for x in re.findall(r"\d+", whole)]
    status, text, err = read_pieces(folder, "chatml.model", ids["vicuna"])
    holds("the second writes Vicuna's form", text.strip() == read_pieces(folder, "chatml.model", expected)[1].strip() and "ASSISTANT" in text, (text, err))


# ---- runtime/FIRMWARE.md --------------------------------------------------------------------------------------------


def try_firmware(blocks, folder):
    command, = blocks
    compiler = "aarch64-linux-gnu-"
    if folder.run("command -v %sgcc" % compiler)[0] != 0:
        return skip("$ " + command.strip(), "gcc-aarch64-linux-gnu, which stands for it, is not installed")
    print("stand-ins: aarch64-none-elf-gcc (aarch64-linux-gnu-gcc)", file=sys.stderr)
    folder.stand_in("aarch64-none-elf-gcc", 'exec %sgcc "$@"\n' % compiler)
    done, = succeeds(folder.paste(read_commands(command), within=ROOT))
    text = int(re.search(r"(\d+) bytes of text", done.out).group(1))
    said = int(re.search(r"prints its size: (\d+) KB", read_text("runtime/FIRMWARE.md")).group(1))
    holds("the library has the size that the page says", abs(text / 1000 - said) < 6, (text, said))
    # Which names a linker finds in the archive.
    status, names, err = folder.run("%snm -s '%s/build/firmware/libbrise.a' | sed -n 's/^\\(brise_[a-z_]*\\) in .*/\\1/p'" % (compiler, ROOT))
    holds("the archive has an index", "brise_eval_tokens" in names.split(), (names[:200], err))


def try_memory(blocks, folder):
    """Calls compile, names are brise.h's."""
    calls, = blocks
    whole = [line for line in calls.splitlines() if re.search(r"\); ", line) and "..." not in line]
    holds("two calls are whole", len(whole) == 2, calls)
    folder.write("calls.c", '#include <brise.h>\nvoid calls(const void *model, size_t model_bytes, void *range);\nvoid calls(const void *model, size_t model_bytes, void *range)\n'
                 "{\nbrise_error err; brise_arena_options options; uint64_t bytes;\nmemset(&options, 0, sizeof options);\n%s\n}\n" % "\n".join(whole))
    done = folder.run("%s -std=c11 -Wall -Wextra -Werror -include string.h -I '%s/runtime' -c calls.c" % (os.environ.get("CC", "cc"), ROOT))
    holds("the calls compile", done[0] == 0, done[2])
    header = read_text("runtime/brise.h")
    for name in re.findall(r"brise_\w+", calls):
        holds("%s is in brise.h" % name, re.search(r"\b%s\(" % name, header), name)


def try_static(blocks):
    command, = blocks
    arguments = command.strip().removeprefix("make ")
    holds("test/musl.sh builds with the same arguments", re.search(r"\bmake .*%s " % re.escape(arguments), read_text("test/musl.sh")) and "test/musl.sh" in read_text(".ci/run"), command)
    skip("$ " + command.strip(), "test/musl.sh builds it, in a folder of its own, and runs it")


# ---- breeze-chat ----------------------------------------------------------------------------------------------------


def try_conversation(blocks, folder):
    talk, = blocks
    question, answer = re.fullmatch(r"user +(.*)\nmodel +(.*)\n", talk).groups()
    folder.write("question", question)
    done = folder.run("brise run chat.brise --chat -f question --temperature 0")
    holds("breeze-chat answers as it is shown", done[1].strip() == answer, done)


def try_training(blocks, folder):
    """In the repository, but for what is written: elsewhere, and of 2 steps instead of 5,000."""
    block, = blocks
    commands = []
    for command, shown in read_commands(block):
        pasted = command.replace("build/breeze-chat/data", folder.path + "/data").replace("build/breeze-chat/state", folder.path + "/state")
        pasted = re.sub(r" 5000$", " 2", pasted).replace(BREEZE_CHAT + "/model.safetensors", folder.path + "/model.safetensors")
        commands.append((command, shown, pasted))
    succeeds(folder.paste(commands, within=ROOT))
    folder.run("mkdir trained && cp '%s/%s/'*.json '%s/%s/tokenizer.model' trained && mv model.safetensors trained" % (ROOT, BREEZE_CHAT, ROOT, BREEZE_CHAT))
    succeeds(folder.paste([("brise convert trained trained.brise --effort fast", ""), ("brise run trained.brise 'A file' -n 5", "")]))


def main():
    examples = examples_of("documents")
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path, build)
        succeeds(folder.paste([("brise convert '%s/%s' chat.brise" % (ROOT, BREEZE_CHAT), "")]))
        tests = [("quant/FORMAT.md", "", try_layout, folder), ("quant/FORMAT.md", "Configuration", try_frequencies, folder),
                 ("quant/FORMAT.md", "Tokenizer", try_pattern), ("quant/FORMAT.md", "Matrices: tiles of 16 rows", try_formulas),
                 ("runtime/CHAT.md", "", try_tokenize, folder), ("runtime/CHAT.md", "Files of affixes", try_affixes, folder),
                 ("runtime/FIRMWARE.md", "The library", try_firmware, folder), ("runtime/FIRMWARE.md", "Memory", try_memory, folder),
                 ("runtime/FIRMWARE.md", "A static program", try_static),
                 (BREEZE_CHAT + "/README.md", "", try_conversation, folder), (BREEZE_CHAT + "/README.md", "Training", try_training, folder)]
        for document, section, test, *more in tests:
            statements.try_section(test, examples.pop((document, section)), *more)
    holds("every section has a test", not examples, examples)
    return statements.report("documents")


if __name__ == "__main__":
    sys.exit(main())
