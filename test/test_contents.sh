#!/bin/sh
# test_contents.sh - every command names a file's real contents when a download or a mistake left
# something else under its name, and none waits for what is not a regular file
. test/statements.sh
checkpoint=$(pwd)/test/models/breeze

refuses() { # statement, text within the line, arguments...
	refuses_what=$1 refuses_text=$2
	shift 2
	timeout 10 "$brise" "$@" >"$dir/out" 2>"$dir/err"
	status=$?
	[ "$status" -eq 1 ] && grep -qF -e "$refuses_text" "$dir/err" || echo "status $status: $(head -n 2 "$dir/err")" >&2
	holds "$refuses_what" grep -qF -e "$refuses_text" "$dir/err"
	holds "$refuses_what: status 1" [ "$status" -eq 1 ]
	holds "$refuses_what: one line" [ "$(wc -l <"$dir/err")" -eq 1 ]
}

holds "the checkpoint converts" "$brise" convert "$checkpoint" "$dir/model.brise" --type q8 2>"$dir/err"
holds "and exports" "$brise" export "$dir/model.brise" "$dir/model.gguf" 2>"$dir/err"

# A checkpoint's folder of links, in which one file is something else.
spoilt() { # name
	rm -rf "$dir/spoilt"
	mkdir "$dir/spoilt"
	for file in $(ls "$checkpoint"); do
		ln -s "$checkpoint/$file" "$dir/spoilt/$file"
	done
	printf '{"peft_type":"LORA","r":2,"lora_alpha":2}' >"$dir/spoilt/adapter_config.json"
	rm -f "$dir/spoilt/$1"
}

mkdir "$dir/kinds"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 14483464192\n' >"$dir/kinds/pointer"
printf '\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n' >"$dir/kinds/page"
printf '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>' >"$dir/kinds/xml"
printf 'Invalid username or password.' >"$dir/kinds/words"
printf 'Entry not found' >"$dir/kinds/short"
printf 'Access to model mistralai/Mistral-7B-v0.1 is restricted.\n' >"$dir/kinds/restricted"
printf '{"error":"Repository not found"}' >"$dir/kinds/error"
: >"$dir/kinds/empty"
printf '\037\213\010\000\000\000\000\000\000\003' >"$dir/kinds/gzip"
printf '\377\376{\000"\000a\000"\000:\0001\000}\000' >"$dir/kinds/utf16"
printf '\200\002\212\012\154\374\234\106\371\040\152\250\120\031\056' >"$dir/kinds/pickle"
head -c 4096 /dev/zero >"$dir/kinds/zeros"
printf '\211PNG\r\n\032\n\000\000\000\015IHDR' >"$dir/kinds/image"
printf '%%PDF-1.4\n%%\342\343\317\323\n1 0 obj\n' >"$dir/kinds/pdf"
printf '\177ELF\002\001\001\000\000\000' >"$dir/kinds/program"
printf 'Rar!\032\007\001\000' >"$dir/kinds/rar"
printf 'acc\350s refus\351' >"$dir/kinds/latin1"

# What is written after "is", for each kind.
said() {
	case $1 in
	pointer) echo "a Git LFS pointer" ;;
	page | xml) echo "a web page" ;;
	words) echo 'text "Invalid username or password."' ;;
	short) echo 'text "Entry not found"' ;;
	restricted) echo 'text "Access to model' ;;
	error) echo 'a server'"'"'s answer "{"error":"Repository not found"}"' ;;
	empty) echo "an empty file" ;;
	gzip) echo "a compressed file" ;;
	utf16) echo "text in UTF-16" ;;
	pickle) echo "a Python pickle" ;;
	zeros) echo "zeros only" ;;
	image) echo "an image" ;;
	pdf) echo "a PDF document" ;;
	program) echo "a program" ;;
	rar) echo "a compressed file" ;;
	latin1) echo 'text "acc?s refus?"' ;;
	esac
}

for kind in pointer page xml words short restricted error empty gzip utf16 pickle zeros image pdf program rar latin1; do
	for name in config.json model.safetensors.index.json model-00002-of-00002.safetensors tokenizer.model; do
		spoilt $name
		cp "$dir/kinds/$kind" "$dir/spoilt/$name"
		refuses "$kind as $name" "$name: is $(said $kind)" convert "$dir/spoilt" "$dir/out.brise" --type q8
	done
	for name in adapter_config.json adapter_model.safetensors; do
		spoilt $name
		cp "$dir/kinds/$kind" "$dir/spoilt/$name"
		refuses "$kind as $name" "$name: is $(said $kind)" convert "$checkpoint" "$dir/out.brise" --lora "$dir/spoilt"
	done
	cp "$dir/kinds/$kind" "$dir/bad.gguf"
	refuses "$kind as .gguf" "bad.gguf: is $(said $kind)" convert "$dir/bad.gguf" "$dir/out.brise"
	mkdir -p "$dir/own"
	printf '{"dim":64,"n_layers":1,"n_heads":1,"hidden_dim":64,"vocab_size":64,"norm_eps":1e-5}' >"$dir/own/params.json"
	cp "$dir/kinds/$kind" "$dir/own/consolidated.00.pth"
	refuses "$kind as .pth" "consolidated.00.pth: is $(said $kind)" convert "$dir/own" "$dir/out.brise"
	[ $kind = empty ] && continue # said by whoever maps the file
	cp "$dir/kinds/$kind" "$dir/bad.brise"
	for command in info run; do
		refuses "$kind as .brise for $command" "bad.brise: is $(said $kind)" $command "$dir/bad.brise"
	done
	cp "$dir/kinds/$kind" "$dir/bad.cal"
	refuses "$kind as .cal" "bad.cal: is $(said $kind)" convert "$checkpoint" "$dir/out.brise" --calibration "$dir/bad.cal"
done

# ---- one format in the place of another -----------------------------------------------------------------------------
shard=$checkpoint/model-00001-of-00002.safetensors
printf 'PK\003\004\024\000\000\000\010\000 and so on' >"$dir/download.brise"
refuses "a zip archive to run" "download.brise: is a zip archive, not a brise file" run "$dir/download.brise" hi
spoilt model-00001-of-00002.safetensors
cp "$dir/download.brise" "$dir/spoilt/model-00001-of-00002.safetensors"
refuses "a zip archive as shard" "is a zip archive, not a safetensors file" convert "$dir/spoilt" "$dir/out.brise"
refuses "a GGUF file to run" "model.gguf: is a GGUF file, not a brise file; make one of it: brise convert $dir/model.gguf" run "$dir/model.gguf" hi
refuses "a GGUF file to show" "is a GGUF file, not a brise file" info "$dir/model.gguf"
refuses "a GGUF file's tokenizer" "is a GGUF file, not a brise file" tokenize "$dir/model.gguf" hi
refuses "a safetensors file to run" "is a safetensors file, not a brise file; make one of it: brise convert FOLDER" run "$shard" hi
cp "$dir/model.brise" "$dir/misnamed.gguf"
refuses "a brise file named .gguf" "is a brise file, not a GGUF file" convert "$dir/misnamed.gguf" "$dir/out.brise"
spoilt model-00001-of-00002.safetensors
cp "$dir/model.gguf" "$dir/spoilt/model-00001-of-00002.safetensors"
refuses "a GGUF file as shard" "is a GGUF file, not a safetensors file" convert "$dir/spoilt" "$dir/out.brise"
cp "$shard" "$dir/own/consolidated.00.pth"
refuses "a safetensors file as .pth" "is a safetensors file, not a zip archive" convert "$dir/own" "$dir/out.brise"

head -c 300 /dev/urandom | tr -d '{[' | sed 's/^/\x01/' >"$dir/noise"
spoilt config.json
cp "$dir/noise" "$dir/spoilt/config.json"
refuses "noise as config.json" "config.json: is binary data, not JSON" convert "$dir/spoilt" "$dir/out.brise"

# ---- prompts --------------------------------------------------------------------------------------------------------
for kind in gzip rar image pdf utf16; do
	refuses "$kind as a prompt" "$kind: is $(said $kind)" run "$dir/model.brise" -n 1 --file "$dir/kinds/$kind"
done
refuses "a model as a prompt" "model.gguf: is a GGUF file, not text" run "$dir/model.brise" -n 1 --file "$dir/model.gguf"
for kind in pointer page words error latin1 zeros program; do
	holds "$kind as a prompt is text" "$brise" run "$dir/model.brise" -n 1 --file "$dir/kinds/$kind" >"$dir/out" 2>"$dir/err"
done

# ---- what is no regular file ----------------------------------------------------------------------------------------
for name in config.json model.safetensors.index.json model-00002-of-00002.safetensors tokenizer.model; do
	spoilt $name
	mkfifo "$dir/spoilt/$name"
	refuses "$name is a FIFO" "$name: is not a regular file" convert "$dir/spoilt" "$dir/out.brise" --type q8
	rm "$dir/spoilt/$name"
	ln -s /dev/zero "$dir/spoilt/$name"
	refuses "$name leads to a device" "$name: is not a regular file" convert "$dir/spoilt" "$dir/out.brise" --type q8
done
# Settings that need not be there: what has their name is read or refused, never passed over.
for name in generation_config.json tokenizer_config.json special_tokens_map.json chat_template.jinja; do
	spoilt $name
	mkfifo "$dir/spoilt/$name"
	refuses "$name is a FIFO" "$name: is not a regular file" convert "$dir/spoilt" "$dir/out.brise" --type q8
	rm "$dir/spoilt/$name"
	ln -s absent "$dir/spoilt/$name"
	refuses "$name leads to nothing" "$name: a link to a file that is not there" convert "$dir/spoilt" "$dir/out.brise" --type q8
done
for name in adapter_config.json adapter_model.safetensors; do
	spoilt $name
	mkfifo "$dir/spoilt/$name"
	refuses "an adapter's $name is a FIFO" "$name: is not a regular file" convert "$checkpoint" "$dir/out.brise" --lora "$dir/spoilt"
done
mkdir "$dir/parts"
mkfifo "$dir/pipe" "$dir/parts/x.gguf"
refuses "a FIFO in the place of a model" "pipe: is not a regular file" convert "$dir/pipe" "$dir/out.brise"
refuses "a GGUF model that is a FIFO" "x.gguf: is not a regular file" convert "$dir/parts" "$dir/out.brise"
refuses "a tokenizer that is a FIFO" "pipe: is not a regular file" tokenize "$dir/pipe" hi
refuses "a calibration that is a FIFO" "pipe: is not a regular file" convert "$checkpoint" "$dir/out.brise" --calibration "$dir/pipe"

report contents
