#!/bin/sh
# test_replacing.sh - replacing files: part files, modes, links, files that appear meanwhile
. test/statements.sh
checkpoint=test/models/breeze

convert() { # target, options...
	target=$1
	shift
	[ $# -gt 0 ] || set -- --type f16 # which takes no search
	try convert "$checkpoint" "$target" "$@"
	[ "$status" -eq 0 ] || cat "$dir/err" >&2
	return "$status"
}

# Starts a conversion and stops it as soon as its part is there, so that what follows happens in its
# middle, however fast the machine is.
begin() { # target
	effort=normal
	[ -z "$sanitized" ] || effort=fast
	"$brise" convert "$checkpoint" "$1" --threads 1 --effort $effort >"$dir/out" 2>"$dir/err" </dev/null &
	running=$!
	for i in $(seq 1000); do
		[ -s "$1.part" ] && break
		sleep 0.01
	done
	kill -s STOP $running
	requires "a conversion is stopped in its middle" [ -s "$1.part" ]
}

# Lets it go on; its status.
finish() {
	kill -s CONT $running
	wait $running
}

mode_of() {
	ls -ln "$1" | cut -c1-10
}

left() {
	ls -A "$dir/place" | tr '\n' ' '
}
mkdir "$dir/place"
out=$dir/place/o.brise

# ---- modes ----------------------------------------------------------------------------------------------------------

umask 027
holds "a new file has the mode that the mask leaves" eval 'convert "$out" && [ "$(mode_of "$out")" = "-rw-r-----" ]'
umask 022
chmod 600 "$out"
holds "a replaced file keeps its mode" eval 'convert "$out" && [ "$(mode_of "$out")" = "-rw-------" ]'
chmod 664 "$out"
holds "also one that the mask would narrow" eval 'convert "$out" && [ "$(mode_of "$out")" = "-rw-rw-r--" ]'
ln -s place/o.brise "$dir/link.brise"
chmod 640 "$out"
holds "through a link too, which stays" eval 'convert "$dir/link.brise" && [ "$(mode_of "$out")" = "-rw-r-----" -a -L "$dir/link.brise" ]'
if [ "$(id -u)" -eq 0 ]; then
	chown 12:34 "$out"
	holds "and keeps its owner and group where they may be given" eval 'convert "$out" && [ "$(ls -ln "$out" | awk "{ print \$3, \$4 }")" = "12 34" ]'
else
	skip "a replaced file keeps its owner" "only root may give files away"
fi
echo "1 2 3" >"$dir/ids"
try logits "$out" --ids "$dir/ids" --out "$dir/place/l"
chmod 600 "$dir/place/l"
try logits "$out" --ids "$dir/ids" --out "$dir/place/l"
holds "so do logits" [ "$status" -eq 0 -a "$(mode_of "$dir/place/l")" = "-rw-------" ]
try export "$out" "$dir/place/m.gguf"
chmod 600 "$dir/place/m.gguf"
try export "$out" "$dir/place/m.gguf"
holds "so does an exported GGUF" [ "$status" -eq 0 -a "$(mode_of "$dir/place/m.gguf")" = "-rw-------" ]
mkdir -m 700 "$dir/place/folder"
try export "$out" "$dir/place/folder"
holds "so does an empty folder that is filled" [ "$status" -eq 0 -a "$(ls -ld "$dir/place/folder" | cut -c1-10)" = "drwx------" ]
head -c 3000 quant/FORMAT.md >"$dir/text"
try calibrate "$out" --text "$dir/text" --tokens 40 --span 32 -o "$dir/place/c.cal"
chmod 600 "$dir/place/c.cal"
try calibrate "$out" --text "$dir/text" --tokens 41 --span 32 -o "$dir/place/c.cal"
holds "so does a calibration" [ "$status" -eq 0 -a "$(mode_of "$dir/place/c.cal")" = "-rw-------" ]
rm -rf "$dir/place"
mkdir "$dir/place"

# ---- files of another kind ------------------------------------------------------------------------------------------

# What a wrong name may lead to; "zeros" is as long as logits of three tokens.
convert "$dir/model.brise"
mkdir "$dir/victims"
cp "$dir/model.brise" "$dir/victims/model"
try export "$dir/model.brise" "$dir/victims/gguf" --to gguf
cp "$checkpoint/config.json" "$dir/victims/json"
cp "$checkpoint/tokenizer.model" "$dir/victims/tokenizer"
cp "$checkpoint/model-00001-of-00002.safetensors" "$dir/victims/weights"
cp "$dir/text" "$dir/victims/text"
printf '\211PNG\r\n\032\n' >"$dir/victims/image"
printf '\377\330\377\340' >"$dir/victims/photo"
tar -cf "$dir/victims/archive" -C "$dir" ids
head -c $((3 * 4096 * 4)) "$dir/text" >"$dir/victims/rows"
head -c $((3 * 4096 * 4)) /dev/zero >"$dir/victims/zeros"
head -c $((3 * 4096 * 4)) "$checkpoint/tokenizer.model" >"$dir/victims/binary"
[ "$(wc -c <"$dir/victims/rows")" -eq $((3 * 4096 * 4)) ] || yes text | head -c $((3 * 4096 * 4)) >"$dir/victims/rows"
checksums() {
	(cd "$dir/victims" && cksum *)
}
before=$(checksums)
bad=$(for name in model gguf json tokenizer weights text image photo archive rows zeros binary; do
	victim=$dir/victims/$name
	for arguments in "logits $dir/model.brise --ids $dir/ids --out $victim" "bench --kernels --svg $victim" "convert $checkpoint $victim --effort fast" \
		"export $dir/model.brise $victim --to gguf" "export $dir/model.brise $victim --to safetensors" "calibrate $dir/model.brise --text $dir/text -o $victim"; do
		case $name,$arguments in
		model,convert* | gguf,*"--to gguf") continue ;; # its own kind
		model,bench* | text,bench*) ;;
		*,bench*) continue ;; # measures for long where it is not refused
		esac
		try $arguments
		[ "$status" -eq 1 -a "$(grep -c '' "$dir/err")" -eq 1 ] && grep -qE "$victim: (exists and is .*: remove it first, or name another file|expected a folder)" "$dir/err" || printf '(%s %s: %s) ' "$name" "${arguments%% *}" "$(head -n 1 "$dir/err")"
	done
done)
holds "no command replaces a file of another kind: $bad" [ -z "$bad" ]
holds "and all stay as they were" [ "$(checksums)" = "$before" ]
try logits "$dir/model.brise" --ids "$dir/ids" --out "$dir/victims/json"
holds "which names what is there" grep -qF "exists and is JSON, not logits of this model" "$dir/err"
: >"$dir/empty"
for target in "$dir/empty" "$dir/new" "$dir/new"; do
	try logits "$dir/model.brise" --ids "$dir/ids" --out "$target"
	holds "empty files and earlier logits are replaced" [ "$status" -eq 0 -a "$(wc -c <"$target")" -eq $((3 * 4096 * 4)) ]
done

# ---- parts ----------------------------------------------------------------------------------------------------------

begin "$out"
kill -s KILL $running
wait $running 2>/dev/null
holds "a kill leaves a part, and nothing else: $(left)" [ "$(left)" = "o.brise.part " ]
holds "which the next run takes over" eval 'convert "$out" && [ "$(left)" = "o.brise " ]'
rm -f "$out"
echo "someone's file" >"$out.part"
holds "a file of another's of that name is left alone" eval 'convert "$out" && [ "$(cat "$out.part")" = "someone'"'"'s file" -a "$(left)" = "o.brise o.brise.part " ]'
rm -f "$out" "$out.part"
ln -s "$dir/ids" "$out.part"
holds "so is a link" eval 'convert "$out" && [ -L "$out.part" -a "$(cat "$dir/ids")" = "1 2 3" ]'
rm -f "$out" "$out.part"
begin "$out"
holds "two conversions to one name work side by side" convert "$out"
kill -s INT $running
finish 2>/dev/null
holds "and leave the file of the one that was not interrupted: $(left)" [ "$(left)" = "o.brise " ]
rm -f "$out"
if unshare -rpf true 2>/dev/null; then
	unshare -rpf sh -c 'exec "$@"' sh "$brise" convert "$checkpoint" "$out" --effort fast >"$dir/out" 2>"$dir/err" &
	running=$!
	unshare -rpf sh -c 'exec "$@"' sh "$brise" convert "$checkpoint" "$out" --effort fast >"$dir/out2" 2>"$dir/err2"
	second=$?
	wait $running
	holds "also with the same process number: $(left)" [ $? -eq 0 -a "$second" -eq 0 -a "$(left)" = "o.brise " ]
else
	skip "two conversions with the same process number" "unshare does not work here"
fi
long=$dir/place/$(printf '%0240d' 7).brise
holds "the longest names have parts too" convert "$long"
rm -f "$long" "$out"

# ---- what appears meanwhile -----------------------------------------------------------------------------------------

begin "$out"
echo "someone's file" >"$out"
finish
status=$?
holds "a file that appears meanwhile is not replaced" [ "$status" -eq 1 -a "$(cat "$out")" = "someone's file" -a "$(left)" = "o.brise " ]
holds "which is said" grep -qF "$out: exists and is not a .brise file" "$dir/err"
rm -f "$out"
begin "$out"
ln -s "$dir/ids" "$out"
finish
holds "nor is a link that appears" [ $? -eq 1 -a "$(cat "$dir/ids")" = "1 2 3" -a -L "$out" ]
rm -f "$out"
begin "$out"
mkdir "$out"
finish
holds "nor a folder" [ $? -eq 1 -a -d "$out" ]
rmdir "$out"

# ---- unfinished calibrations ----------------------------------------------------------------------------------------

convert "$out" --type q8
refuses_unfinished() { # what
	try calibrate "$out" --text "$dir/text" --tokens 40 -o "$dir/place/c.cal"
	holds "$1 is not taken for an unfinished calibration" [ "$status" -eq 1 -a ! -e "$dir/place/c.cal" -a "$(grep -cF "c.cal.unfinished: exists" "$dir/err")" -eq 1 ]
}
u=$dir/place/c.cal.unfinished
{ head -c 4096 /dev/zero && echo "another program's data"; } >"$u"
refuses_unfinished "a file that begins with zeros"
holds "and stays" [ "$(tail -n 1 "$u" | tr -d '\000')" = "another program's data" ]
rm "$u"
: >"$dir/image"
ln -s "$dir/image" "$u"
refuses_unfinished "a link"
rm "$u"
mkfifo "$u"
refuses_unfinished "a FIFO"
rm "$u"

# ---- names ----------------------------------------------------------------------------------------------------------

for name in out.bin model.gguf2 m.safetensor out.pt v1.model; do
	try export "$out" "$dir/place/$name"
	holds "export to $name asks what is meant" [ "$status" -eq 2 -a ! -e "$dir/place/$name" -a "$(grep -F -e "--to gguf" "$dir/err" | grep -cF -e "--to safetensors")" -eq 1 ]
done
try export "$out" "$dir/place/out.bin" --to gguf
holds "and does what --to says" [ "$status" -eq 0 -a -f "$dir/place/out.bin" ]
try export "$out" "$dir/place/mistral-7b-v0.1"
holds "a number after a dot is no extension" [ "$status" -eq 0 -a -d "$dir/place/mistral-7b-v0.1" ]
for name in m.gguf m.safetensors m.bin m.cal config.json; do
	try convert "$checkpoint" "$dir/place/$name.new/$name"
	holds "convert to $name is refused by name" [ "$status" -eq 2 -a "$(grep -cF ".brise file" "$dir/err")" -eq 1 ]
done

# ---- limits and files that shrink -----------------------------------------------------------------------------------

rm -rf "$dir/place"
mkdir "$dir/place"
convert "$dir/q8.brise" --type q8
seq 300 >"$dir/many"
for arguments in "convert $checkpoint $out" "export $dir/q8.brise $dir/place/m.gguf" "export $dir/q8.brise $dir/place/m" \
	"calibrate $dir/q8.brise --text $dir/text --tokens 40 -o $dir/place/c.cal" "logits $dir/q8.brise --ids $dir/many --out $dir/place/l"; do
	(ulimit -f 1000 && "$brise" $arguments >"$dir/out" 2>"$dir/err" </dev/null)
	holds "brise ${arguments%% *} meets the limit of a file's size with an error, and leaves nothing: $(left)" \
		[ $? -eq 1 -a -z "$(left)" -a "$(tail -n 1 "$dir/err" | grep -cF "$dir/place/")" -eq 1 ]
done
cat quant/FORMAT.md README.md README.md README.md >"$dir/long"
"$brise" calibrate "$dir/q8.brise" --text "$dir/long" --threads 1 -o "$dir/place/c.cal" >"$dir/out" 2>"$dir/err" </dev/null &
running=$!
for i in $(seq 200); do
	[ -s "$u" ] && break
	sleep 0.01
done
sleep 0.2
truncate -s 5000 "$u"
wait $running
holds "an unfinished calibration that is cut off meanwhile is an error" [ $? -eq 1 -a "$(grep -cF "$u: has become shorter" "$dir/err")" -eq 1 ]
rm -f "$u"
deep=$dir/place/$(printf '%02000d' 0 | sed 's,00,/0,g')
try convert "$checkpoint" "$deep"
holds "a message about a long path keeps its reason" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -c ": [A-Z][a-z ]*$")" -eq 1 ]

report replacing
