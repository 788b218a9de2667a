#!/bin/sh
# test_convert_paths.sh - paths that brise convert takes, and for all others a message that names
# what to give instead
#
# All good paths lead to test/models/breeze, by links, and must give the same file; wrong ones must
# give one line and no file.
. test/statements.sh
checkpoint=$(pwd)/test/models/breeze

convert() { # path, options; leaves $dir/err
	rm -f "$dir/out.brise"
	"$brise" convert "$1" "$dir/out.brise" --type q8 "${2:---threads=2}" "${3:---threads=2}" 2>"$dir/err"
}

same() { # statement, path
	convert "$2" || tail -n 1 "$dir/err" >&2
	holds "$1" cmp -s "$dir/out.brise" "$dir/expected"
}

refuses() { # statement, text within the line, path, options
	text=$2
	statement=$1
	shift 2
	if convert "$@"; then
		holds "$statement: it was converted" false
		return
	fi
	[ "$(wc -l <"$dir/err")" -eq 1 ] && grep -qF -e "$text" "$dir/err" || cat "$dir/err" >&2
	holds "$statement" grep -qF -e "$text" "$dir/err"
	holds "$statement: one line" [ "$(wc -l <"$dir/err")" -eq 1 ]
	holds "$statement: nothing written" [ -z "$(find "$dir" -name 'out.brise*')" ]
}

links() { # folder, names...: links to the checkpoint's files
	mkdir -p "$1"
	for name in $(ls "$checkpoint"); do
		ln -s "$checkpoint/$name" "$1/$name"
	done
}

holds "the checkpoint converts" convert "$checkpoint"
mv "$dir/out.brise" "$dir/expected"

# ---- files and folders ----------------------------------------------------------------------------------------------
same "a folder with a slash at its end" "$checkpoint/"
same "config.json stands for its folder" "$checkpoint/config.json"
same "the index stands for its folder" "$checkpoint/model.safetensors.index.json"
same "the first shard stands for its folder" "$checkpoint/model-00001-of-00002.safetensors"
same "any shard stands for its folder" "$checkpoint/model-00002-of-00002.safetensors"
links "$dir/linked"
same "a folder of links" "$dir/linked"
ln -s linked "$dir/again"
same "a link to a folder" "$dir/again"
same "a file in a linked folder" "$dir/again/config.json"
(cd "$dir/linked" && convert config.json)
holds "a file in the present folder" cmp -s "$dir/out.brise" "$dir/expected"

# ---- Hugging Face's cache -------------------------------------------------------------------------------------------
cache=$dir/hub/models--some--model hash=0123456789abcdef0123456789abcdef01234567
mkdir -p "$cache/blobs" "$cache/refs" "$cache/snapshots/$hash"
for name in $(ls "$checkpoint"); do
	ln -s "$checkpoint/$name" "$cache/blobs/blob-of-$name"
	ln -s "../../blobs/blob-of-$name" "$cache/snapshots/$hash/$name"
done
same "a snapshot" "$cache/snapshots/$hash"
same "a file of a snapshot" "$cache/snapshots/$hash/model-00001-of-00002.safetensors"
same "a model's folder with one snapshot" "$cache"
mkdir "$cache/snapshots/other"
refuses "several snapshots without refs/main" "not exactly one snapshot" "$cache"
printf '%s\n' $hash >"$cache/refs/main"
same "a model's folder with refs/main" "$cache"
printf '../../x' >"$cache/refs/main"
refuses "refs/main that leads elsewhere" "not exactly one snapshot" "$cache"
printf 'fedcba' >"$cache/refs/main"
refuses "refs/main to a snapshot that is not there" "snapshot fedcba is not there" "$cache"
printf '%s' $hash >"$cache/refs/main"
refuses "the cache's own folder" "give one of its folders, as models--some--model" "$dir/hub"
refuses "a blob" "give its folder" "$cache/blobs/blob-of-README.md"
rm "$cache/blobs/blob-of-model-00002-of-00002.safetensors"
refuses "a shard whose blob is missing" "model-00002-of-00002.safetensors: a link to a file that is not there; is the download complete?" "$cache"
rm "$cache/blobs/blob-of-config.json"
refuses "a configuration whose blob is missing" "config.json: a link to a file that is not there" "$cache"
refuses "a link to nothing" "model-00002-of-00002.safetensors: a link to a file that is not there" "$cache/snapshots/$hash/model-00002-of-00002.safetensors"

# ---- folders of GGUF files ------------------------------------------------------------------------------------------
gguf=$dir/hub/models--some--model-GGUF
mkdir -p "$gguf/snapshots/$hash" "$gguf/blobs"
"$brise" export "$dir/expected" "$gguf/blobs/q8.gguf" 2>"$dir/err" || cat "$dir/err" >&2
ln -s "../../blobs/q8.gguf" "$gguf/snapshots/$hash/model.Q8_0.gguf"
holds "a cache's folder with one GGUF model" convert "$gguf"
holds "which is named" grep -qF "weights: model.Q8_0.gguf, the folder's only GGUF model" "$dir/err"
ln -s nowhere "$gguf/snapshots/$hash/model.Q4_K_M.gguf"
refuses "one with several GGUF models" "2 GGUF models, give one of them: model.Q4_K_M.gguf, model.Q8_0.gguf" "$gguf"
rm "$gguf/blobs/q8.gguf"

# ---- what is something else -----------------------------------------------------------------------------------------
refuses "no such path" "cannot be opened: No such file" "$dir/absent"
mkdir "$dir/empty" "$dir/adapter" "$dir/pickled" "$dir/parts"
refuses "an empty folder" "not a checkpoint's folder" "$dir/empty"
: >"$dir/adapter/adapter_config.json"
: >"$dir/adapter/adapter_model.safetensors"
refuses "an adapter's folder" "this is a LoRA adapter; give the base checkpoint, and --lora" "$dir/adapter"
refuses "an adapter's file" "this is a LoRA adapter; give the base checkpoint, and --lora" "$dir/adapter/adapter_model.safetensors"
: >"$dir/pickled/config.json"
: >"$dir/pickled/pytorch_model.bin"
refuses "a folder of pickles" "no weights but pytorch_model.bin" "$dir/pickled"
refuses "a pickle" "may hold programs" "$dir/pickled/pytorch_model.bin"
: >"$dir/parts/model-00001-of-00003.safetensors"
refuses "a shard without index" "model.safetensors.index.json is not beside it" "$dir/parts/model-00001-of-00003.safetensors"
: >"$dir/model.zip"
refuses "an archive" "unpack it" "$dir/model.zip"
refuses "a tokenizer" "a tokenizer; give the folder" "$checkpoint/tokenizer.model"
mkfifo "$dir/pipe"
refuses "a pipe" "is not a regular file" "$dir/pipe"
cp "$dir/expected" "$dir/model.brise"
refuses "a brise file" "a brise file already" "$dir/model.brise"
rm "$dir/linked/tokenizer.model"
refuses "no tokenizer" "no tekken.json, tokenizer.model or tokenizer.json" "$dir/linked"
ln -s nowhere "$dir/linked/tokenizer.json"
refuses "a tokenizer.json that is a link to nothing" "tokenizer.json: a link to a file that is not there" "$dir/linked"
holds "which does not matter without a tokenizer" convert "$dir/linked" --no-tokenizer

# ---- adapters -------------------------------------------------------------------------------------------------------
refuses "an adapter that is not there" "absent: cannot be opened" "$checkpoint" "--lora=$dir/absent"
mkdir "$dir/tuned"
: >"$dir/tuned/params.json"
: >"$dir/tuned/lora.safetensors"
refuses "an adapter's folder of mistral-finetune" "this is a LoRA adapter; give the base checkpoint, and --lora" "$dir/tuned"
refuses "its file" "this is a LoRA adapter; give the base checkpoint, and --lora" "$dir/tuned/lora.safetensors"
refuses "its empty configuration" "params.json: is an empty file" "$checkpoint" "--lora=$dir/tuned"
refuses "a scale that is none" "with a scale after the colon" "$checkpoint" "--lora=$dir/adapter:x"
refuses "a checkpoint given as adapter" "no adapter_config.json and no lora.safetensors: not an adapter's folder" "$checkpoint" "--lora=$checkpoint"
refuses "an empty configuration" "adapter_config.json: is an empty file" "$checkpoint" "--lora=$dir/adapter"

report convert_paths
