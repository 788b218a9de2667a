#!/usr/bin/env python3
"""quality_numpy.py BRISE [IDS] - brise perplexity against numpy, from nothing but brise logits of both files

Takes the logits of every position as floats, computes perplexities, divergences, percentiles and equal top tokens in float64 as their definitions read, and
compares with what brise perplexity prints: as one stream, and in chunks (each chunk evaluated by itself). The percentile's error is compared with a bootstrap.
IDS: token ids to use, else those of a part of the project's own documents.
"""
import atexit, json, os, shutil, subprocess, sys, tempfile
import numpy as np

from counts import report
from digests import BOOK_TYPES

BRISE = sys.argv[1]
FOLDER = tempfile.mkdtemp(prefix="brise-quality-")
atexit.register(shutil.rmtree, FOLDER, True)
CHECKPOINT = "test/models/breeze"
counts = {True: 0, False: 0}


def check(what, good, note=""):
    counts[bool(good)] += 1
    print(("ok      " if good else "FAILED: ") + what, note, file=sys.stderr)


def brise(*args):
    done = subprocess.run([BRISE] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit("brise %s: %s" % (" ".join(map(str, args)), done.stderr.decode()))
    return done.stdout


def converted(kind):
    out = os.path.join(FOLDER, kind + ".brise")
    brise("convert", CHECKPOINT, out, "--type", kind, "--effort", "fast")
    return out


def ids_file(ids):
    path = os.path.join(FOLDER, "ids")
    with open(path, "w") as f:
        f.write(" ".join(map(str, ids)))
    return path


def log_probabilities(model, ids, kv):
    """[n - 1][vocab]: of what follows all tokens but the last."""
    out = os.path.join(FOLDER, "logits")
    brise("logits", model, "--ids", ids_file(ids), "--out", out, "--kv", kv)
    x = np.fromfile(out, "<f4").reshape(len(ids), -1)[:-1].astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def positions(model, reference, kv, passages):
    """Negative log-likelihoods of both, divergence and equal tops for every scored position. A passage: ids, and the index of the first scored."""
    found = []
    for ids, first in passages:
        q, p = log_probabilities(model, ids, kv), log_probabilities(reference, ids, "f32")
        rows, after = np.arange(first - 1, len(ids) - 1), np.array(ids)[first:]
        q, p = q[first - 1:], p[first - 1:]
        here = np.arange(len(rows))
        found.append(np.stack([-q[here, after], -p[here, after], (np.exp(p) * (p - q)).sum(axis=1), q.argmax(axis=1) == p.argmax(axis=1)]))
    return np.concatenate(found, axis=1)


def expected(nll, reference_nll, kld, same):
    n = len(nll)
    error = lambda x: x.std(ddof=1) / np.sqrt(n)
    means = {"perplexity": nll, "reference_perplexity": reference_nll, "perplexity_ratio": nll - reference_nll}
    want = {k: np.exp(x.mean()) for k, x in means.items()}
    want.update({k + "_error": np.exp(x.mean()) * error(x) for k, x in means.items()})
    want.update(kld_mean=kld.mean(), kld_mean_error=error(kld), kld_p99=np.percentile(kld, 99), same_top=same.mean(), same_top_error=error(same), scored=n)
    return want


def compare(what, model, reference, ids, kv, passages, *options):
    figures = positions(model, reference, kv, passages)
    want = expected(*figures)
    got = json.loads(brise("perplexity", model, "--against", reference, "--ids", ids_file(ids), "--kv", kv, "--json", *options))
    for key, value in sorted(want.items()):
        check("%s, kv %s: %s" % (what, kv, key), abs(got[key] - value) <= 1e-6 * abs(value) + 1e-12, "%.9g, numpy says %.9g" % (got[key], value))
    kld = figures[2]
    draws = np.random.default_rng(1).choice(kld, (1000, len(kld)))
    spread = np.percentile(draws, 99, axis=1).std()
    check("%s, kv %s: kld_p99_error" % (what, kv), 0.6 * spread < got["kld_p99_error"] < 1.7 * spread, "%.6f, bootstrap %.6f" % (got["kld_p99_error"], spread))


q4, f16 = converted("q4"), converted("f16")
others = [kind for kind in BOOK_TYPES if kind != "q4"]
if len(sys.argv) > 2:
    ids = list(map(int, open(sys.argv[2]).read().split()))[:1500]
else:
    ids = list(map(int, brise("tokenize", q4, "--bos", "-f", "quant/FORMAT.md").split()))[:1500]
bos = json.loads(brise("info", q4, "--json"))["bos"]
for kv in ("int8", "f32"):
    compare("one stream", q4, f16, ids, kv, [(ids, 1)])
for kind in others:
    compare("one stream of " + kind, converted(kind), f16, ids[:700], "int8", [(ids[:700], 1)])
for context, stride in ((512, 512), (300, 100)):
    passages = []
    for begin in range(0, len(ids) - context + 1, stride):
        first = context // 2 + 1 if begin == 0 else max(context // 2 + 1, context - stride)
        passages.append(([bos] + ids[begin + 1:begin + context], first))
    compare("context %d, stride %d" % (context, stride), q4, f16, ids, "int8", passages, "--context", context, "--stride", stride)
sys.exit(report("quality_numpy", counts[True], counts[False]))
