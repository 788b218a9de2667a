#!/usr/bin/env python3
"""gold.py BRISE GOLD - brise against reference models and vectors computed by programs that share no code with it.

Converts every reference model, compares all logits for several chunk sizes, greedy continuations, tokenizer vectors and
perplexities. Standard library only; works through the command line as a user would.
"""
import array, atexit, glob, gzip, json, os, random, shutil, subprocess, sys, tempfile

from counts import report
from digests import BOOK_TYPES

BRISE, GOLD = sys.argv[1], sys.argv[2]
FOLDER = tempfile.mkdtemp(prefix="brise-gold-")
atexit.register(shutil.rmtree, FOLDER, True)
TOLERANCE = 2e-3
counts = {True: 0, False: 0}


def check(what, good, note=""):
    counts[bool(good)] += 1
    print(("ok      " if good else "FAILED: ") + what, note, file=sys.stderr)


def brise(*args, **kw):
    done = subprocess.run([BRISE] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if done.returncode:
        sys.exit("brise %s: %s" % (" ".join(map(str, args)), done.stderr.decode()))
    return done.stdout


def model_folder(model, config):
    """The checkpoint with the configuration the golden names: a folder of links."""
    place = os.path.join(FOLDER, os.path.basename(model) + "-" + config.replace(".json", ""))
    if not os.path.isdir(place):
        os.mkdir(place)
        for name in os.listdir(model):
            if not name.startswith("config"):
                os.symlink(os.path.join(os.path.abspath(model), name), os.path.join(place, name))
        if os.path.exists(os.path.join(model, config)):
            os.symlink(os.path.join(os.path.abspath(model), config), os.path.join(place, "config.json"))
    return place


def converted(model, config, kind="f16", tokenizer=False):
    place = model_folder(model, config)
    out = place + "." + kind + ".brise"
    if not os.path.exists(out):
        brise("convert", place, out, "--type", kind, *([] if tokenizer else ["--no-tokenizer"]))
    return out


def floats(path):
    a = array.array("f")
    with open(path, "rb") as f:
        a.frombytes(f.read())
    return a


def ids_file(ids):
    path = os.path.join(FOLDER, "ids")
    with open(path, "w") as f:
        f.write(" ".join(map(str, ids)))
    return path


def logits(model, ids, *options):
    out = os.path.join(FOLDER, "logits")
    if os.path.exists(out):  # those of another model are not replaced
        os.remove(out)
    brise("logits", model, "--ids", ids_file(ids), "--out", out, *options)
    with open(out, "rb") as f:
        return f.read()


def check_logits(folder, form=""):
    """form: what the name of a second folder ends with that holds the same weights."""
    for path in sorted(glob.glob("%s/%s/*.json" % (GOLD, folder))):
        golden = json.load(open(path))
        model = os.path.join(GOLD, folder, golden.get("model", "")) + form
        if "token_ids" not in golden or not os.path.isdir(model):
            continue
        name = os.path.basename(path)[:-5] + form
        model = converted(model, golden.get("config", "config.json"))
        want = floats(os.path.join(GOLD, folder, golden["logits"]))
        for chunk in (1, 7, 64, 512):
            raw = logits(model, golden["token_ids"], "--kv", "f32", "--chunk", chunk, "--context", len(golden["token_ids"]))
            got = array.array("f")
            got.frombytes(raw)
            off = [abs(a - b) for a, b in zip(got, want)]
            same = len(got) == len(want) > 0 and all(x <= TOLERANCE for x in off)  # max(off) would pass over NaN
            check("%s logits, chunk %d" % (name, chunk), same, "largest difference %.2g of %d" % (max(off, default=0), len(off)))


def test_reference_models():
    check_logits("golden")


def test_later_models():
    """YaRN, the factor of queries, tied embeddings, FP8: Hugging Face's form and Mistral's own."""
    check_logits("golden-later")
    check_logits("golden-later", "-mistral")


def test_later_models_give_the_same_bits():
    """Kernel sets, threads, chunks, and weights that are streamed."""
    ids = list(range(300))
    arches = [name for name, there in json.loads(brise("info", converted(GOLD + "/models/m3-yarn", "config.json"), "--json"))["arches"].items() if there]
    for name in ("m3-yarn", "m3-tied", "m3-fp8-mistral", "m3-scaled"):
        for kind in ("q4", "q3", "q8", "f16"):
            model = converted(GOLD + "/models/" + name, "config.json", kind)
            first = logits(model, ids, "--chunk", 512, "--threads", 1, "--arch", "scalar", "--context", 300)
            ways = [("--chunk", chunk, "--threads", threads, "--arch", arch)
                    for arch in arches for chunk, threads in ((1, 2), (7, 3), (64, 1))] + [("--memory", "min"), ("--memory", "min", "--chunk", 7)]
            wrong = [way for way in ways if logits(model, ids, *way, "--context", 300) != first]
            check("%s %s the same bits" % (name, kind), first and not wrong, " ".join(map(str, wrong[0])) if wrong else "%d ways" % len(ways))


def test_later_models_draft():
    """Drafts change no token."""
    for name in ("m3-yarn", "m3-tied"):
        model = converted(GOLD + "/models/" + name, "config.json", "q4")
        prompt = ids_file([1] + [5, 17, 200, 33, 9, 41] * 20)
        plain, drafted = (brise("run", model, "--prompt-ids", prompt, "--print-ids", "--greedy", "-n", 150, "--ignore-eos", "--context", 400, *more)
                          for more in ((), ("--no-drafts",)))
        check("%s drafted" % name, len(plain.split()) == 150 and plain == drafted)


def test_greedy():
    for path in sorted(glob.glob(GOLD + "/golden/*.greedy.json")):
        golden = json.load(open(path))
        model = converted(os.path.join(GOLD, "golden", golden["model"]), golden.get("config", "config.json"))
        n = len(golden["greedy_ids"])
        out = brise("run", model, "--prompt-ids", ids_file(golden["prompt_ids"]), "--print-ids", "--greedy", "-n", n, "--kv", "f32",
                    "--ignore-eos", "--context", n + len(golden["prompt_ids"]))
        check(os.path.basename(path)[:-5], list(map(int, out.split())) == golden["greedy_ids"], "%d ids" % n)


def test_forms_of_one_model_agree():
    ids = json.load(open(GOLD + "/golden/rand-hd128.json"))["token_ids"]
    for kind in BOOK_TYPES:
        a, b = (converted(GOLD + "/models/" + name, "config.json", kind) for name in ("rand-hd128", "rand-hd128-pth"))
        check("torch zip and safetensors give the same bits in " + kind, len(logits(a, ids)) > 0 and logits(a, ids) == logits(b, ids))



def lines(path):
    with open(path, "rb") as f:
        return [json.loads(line) for line in f]


def test_tokenizers():
    for path in sorted(glob.glob(GOLD + "/tokenizer/*.encode.jsonl")):
        name, model = os.path.basename(path).split(".")[0], path.replace(".encode.jsonl", ".model")
        golden = lines(path)
        text = "".join(json.dumps(g["text"]) + "\n" for g in golden).encode()
        got = [json.loads(x) for x in brise("tokenize", model, "--jsonl", input=text).splitlines()]
        check("tokenizer %s encodes" % name, golden and got == [g["ids"] for g in golden], "%d texts" % len(golden))
        decode = [(g["ids"], g["decoded"]) for g in golden] + [(g["ids"], g["decoded"]) for g in lines(path.replace("encode", "decode"))]
        text = "".join(json.dumps(ids) + "\n" for ids, _ in decode).encode()
        got = [json.loads(x) for x in brise("tokenize", model, "--decode", "--jsonl", input=text).splitlines()]
        check("tokenizer %s decodes" % name, decode and got == [d for _, d in decode], "%d lists" % len(decode))


def test_conversations():
    for path in sorted(glob.glob(GOLD + "/chat/*.jsonl")):
        name = os.path.basename(path)[:-6]
        version, golden = name.replace("tools-", ""), lines(path)
        with open(path, "rb") as f:
            out = brise("tokenize", "%s/tokenizer/%s.model" % (GOLD, version), "--chat", "--jsonl", "--chat-format", version, stdin=f)
        wrong = [g["name"] for g, line in zip(golden, out.splitlines()) if g["ids"] != json.loads(line)]
        check("conversations %s" % name, golden and len(out.splitlines()) == len(golden) and not wrong, " ".join(wrong) or "%d conversations" % len(golden))


def test_conversations_of_byte_level_tokenizers():
    """Versions up to 7 have no list of control tokens in the file; later ones are made by the patch that is there."""
    if not os.path.isdir(GOLD + "/chat-tekken"):
        return
    with gzip.open(GOLD + "/tekken/tekken.json.gz") as f:
        plain = json.load(f)
    patch = json.load(open(GOLD + "/tekken/tekken-v13-head.json"))
    for path in sorted(glob.glob(GOLD + "/chat-tekken/*.jsonl")):
        name = os.path.basename(path)[:-6]
        version, golden = name.replace("tools-", ""), lines(path)
        tokenizer = os.path.join(FOLDER, version, "tekken.json")
        if not os.path.exists(tokenizer):
            os.makedirs(os.path.dirname(tokenizer), exist_ok=True)
            changed = dict(plain, config=dict(plain["config"], version=version))
            if version in ("v11", "v13"):
                changed["special_tokens"] = patch["special_tokens"]
            with open(tokenizer, "w", encoding="utf-8") as f:
                json.dump(changed, f)
        for options in ([], ["--chat-format", {"v3": "v3-tekken"}.get(version, version)]):
            with open(path, "rb") as f:
                out = brise("tokenize", tokenizer, "--chat", "--jsonl", *options, stdin=f)
            wrong = [g["name"] for g, line in zip(golden, out.splitlines()) if g["ids"] != json.loads(line)]
            check("conversations %s, byte-level%s" % (name, " " * bool(options) + " ".join(options)),
                  golden and len(out.splitlines()) == len(golden) and not wrong, " ".join(wrong) or "%d conversations" % len(golden))


def test_hostile_texts_yield_no_control_token():
    """10,000 texts of spellings of control tokens, whole and in part: ids between what the format places are those of the text as ordinary characters."""
    marks = ["<s>", "</s>", "<unk>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[PREFIX]", "[SUFFIX]",
             "[control_8]", "[IMG]", "<0x0A>", "[", "]", "<", ">", "/", " ", "  ", "\n", "\u2581", "a", "text"]
    for version, control, before, after in (("v1", 3, [1], []), ("v2", 771, [1, 3], [4]), ("v3", 771, [1, 3], [4])):
        rng, model, texts = random.Random(16), "%s/tokenizer/%s.model" % (GOLD, version), []
        for _ in range(10000):
            parts = [rng.choice(marks) for _ in range(rng.randrange(1, 9))]
            texts.append("".join(p[rng.randrange(len(p)):] if rng.random() < 0.2 else p for p in parts))
        talks = "".join(json.dumps({"messages": [{"role": "user", "content": t}]}) + "\n" for t in texts).encode()
        plain = "".join(json.dumps(t if version != "v1" else "[INST] %s [/INST]" % t) + "\n" for t in texts).encode()
        got = [json.loads(x) for x in brise("tokenize", model, "--chat", "--jsonl", "--chat-format", version, input=talks).splitlines()]
        want = [before + json.loads(x) + after for x in brise("tokenize", model, "--jsonl", input=plain).splitlines()]
        inside = [i for ids in got for i in ids[len(before):len(ids) - len(after)] if i < control]
        check("hostile texts, %s" % version, len(got) == 10000 and got == want and not inside, "%d texts, %d control tokens" % (len(got), len(inside)))


def test_perplexity():
    """f16 within 0.02 % of the reference, q8 0.1 %, q4 1.3 % (what Q4_0 loses at 4.5 bits), q3 4.07 % (Q3_K at 3.44), int8 cache within 0.1 % of f32."""
    reference, ids = 29.5793, GOLD + "/val_public.ids.txt"

    def of(kind, kv):
        model = converted(GOLD + "/breeze", "config.json", kind, True)
        return json.loads(brise("perplexity", model, "--ids", ids, "--kv", kv, "--json"))["perplexity"]

    f16 = of("f16", "f32")
    rows = [("f16", f16, reference, 0.02), ("q8", of("q8", "int8"), reference, 0.1), ("f16, int8 cache", of("f16", "int8"), f16, 0.1)]
    for kind in BOOK_TYPES:
        value = of(kind, "int8")
        rows += [(kind, value, reference, {"q4": 1.3, "q3": 4.07}[kind]), (kind + ", int8 cache", value, of(kind, "f32"), 0.1)]
    for what, value, base, percent in rows:
        off = 100 * (value / base - 1)
        check("perplexity of " + what, off <= percent if what in BOOK_TYPES else abs(off) <= percent, "%.4f, %+.3f %%" % (value, off))


def test_long_stream_runs_in_constant_memory():
    """20,000 tokens: the ring of 256 turns 78 times. Memory of a long stream is that of a short one."""
    with open(GOLD + "/val_public.ids.txt") as f:
        ids = f.read().split()
    ids = (ids + ids[1:])[:20000]
    model = converted(GOLD + "/breeze", "config.json", "q4", True)

    def peak(n):
        code = "import resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        return int(subprocess.run([sys.executable, "-c", code, BRISE, "perplexity", model, "--ids", ids_file(ids[:n])], stdout=subprocess.PIPE, check=True).stdout)

    short, long = peak(2000), peak(20000)
    check("20,000 tokens take the memory of 2,000", long < short + 1500, "%d and %d kB" % (long, short))


for test in (test_reference_models, test_later_models, test_later_models_give_the_same_bits, test_later_models_draft, test_greedy, test_forms_of_one_model_agree, test_tokenizers, test_conversations, test_conversations_of_byte_level_tokenizers, test_hostile_texts_yield_no_control_token, test_perplexity, test_long_stream_runs_in_constant_memory):
    before = sum(counts.values())
    test()
    if sum(counts.values()) == before:
        check(test.__name__ + " finds what it compares with in " + GOLD, False)
sys.exit(report("gold", counts[True], counts[False]))
