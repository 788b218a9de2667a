#!/bin/sh
# compare_gguf.sh BRISE - exported GGUF files, read by Hugging Face's reader and run by llama.cpp
#
# Needs Node.js 20 and the npm registry (36 MB); skips where they cannot be had.
brise=$1
folder=$(mktemp -d "${TMPDIR:-/tmp}/brise-gguf-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
if ! modules=$(sh bench/install_llama.sh "$folder" @huggingface/gguf@0.4.6 2>"$folder/reason"); then
	echo "skipped: exported GGUF files are read and run by others: $(cat "$folder/reason")" >&2
	echo "compare_gguf: 0 passed, 0 failed, 1 skipped"
	exit 1
fi
node test/compare_gguf.mjs "$brise" "$modules" "$folder"
