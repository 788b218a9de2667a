#!/bin/sh
# test_calibrate_cli.sh - the command line of brise calibrate and convert --calibration: messages,
# interruptions, leftover files
. test/statements.sh
checkpoint=test/models/breeze
text=quant/FORMAT.md
model=$dir/model.brise

# ---- statements -----------------------------------------------------------------------------------------------------

refuses() { # statement, status, text within the line, arguments...
	refuses_what=$1 refuses_status=$2 refuses_text=$3
	shift 3
	try "$@"
	holds "$refuses_what" [ "$status" -eq "$refuses_status" -a "$(wc -l <"$dir/err")" -eq 1 -a ! -s "$dir/out" -a "$(grep -cF -e "$refuses_text" "$dir/err")" -eq 1 ]
}

says() { # statement, text: the only line on standard error has it
	holds "$1" [ "$(wc -l <"$dir/err")" -eq "${3:-1}" -a ! -s "$dir/out" -a "$(grep -cF -e "$2" "$dir/err")" -eq 1 ]
}

# What lies in the folder beside what the test itself uses.
left() {
	ls -A "$dir" | grep -vE '^(out|err|pid|model\.brise|whole\.cal|ids|text)$' | tr '\n' ' '
}

# ---- runs -----------------------------------------------------------------------------------------------------------

"$brise" convert "$checkpoint" "$model" --type q8 2>/dev/null
options="--text $text --tokens 300 --span 64"
try calibrate "$model" $options -o "$dir/whole.cal" -t 1
holds "calibrate succeeds" [ "$status" -eq 0 ]
says "and says in one line what it wrote" "$dir/whole.cal: "
try calibrate "$checkpoint" $options -o "$dir/x.cal" -t 2
holds "a checkpoint gives the file that its q8 model gives" cmp -s "$dir/x.cal" "$dir/whole.cal"
holds "and leaves nothing but that file: $(left)" [ "$(left)" = "x.cal " ]
rm -f "$dir/x.cal"

# ---- a text of the model's own --------------------------------------------------------------------------------------

self=700
[ -z "$sanitized" ] || self=200
try calibrate "$model" --self $self --span 0 -o "$dir/x.cal" -t 1
holds "a model writes its own text" [ "$status" -eq 0 -a "$(grep -cF "$self tokens" "$dir/err")" -eq 1 ]
try calibrate "$model" --self $self --span 0 -o "$dir/y.cal" -t 2
holds "the same with other threads" cmp -s "$dir/x.cal" "$dir/y.cal"
try calibrate "$model" --self $self --seed 1 --span 0 -o "$dir/y.cal"
holds "and another with another seed" sh -c '! cmp -s "$0" "$1"' "$dir/x.cal" "$dir/y.cal"
rm -f "$dir/x.cal" "$dir/y.cal"

# ---- refusals -------------------------------------------------------------------------------------------------------

echo "1 2 99999" >"$dir/ids"
refuses "a text is given or written, not both" 2 "--self N" calibrate "$model" --text "$text" --self 100 -o "$dir/x.cal"
refuses "one of text and ids, not both" 2 "--ids" calibrate "$model" --text "$text" --ids "$dir/ids" -o "$dir/x.cal"
refuses "a target is asked for" 2 "-o FILE" calibrate "$model" --text "$text"
refuses "a span that is no multiple of 32 is refused" 2 "multiple of 32" calibrate "$model" $options --span 33 -o "$dir/x.cal"
refuses "a missing text is refused" 1 "$dir/missing" calibrate "$model" --text "$dir/missing" -o "$dir/x.cal"
refuses "a missing model is refused" 1 "$dir/missing.brise" calibrate "$dir/missing.brise" $options -o "$dir/x.cal"
refuses "what is no checkpoint is refused" 1 "$dir" calibrate "$dir" $options -o "$dir/x.cal"
refuses "ids beyond the vocabulary are refused" 1 "99999" calibrate "$model" --ids "$dir/ids" -o "$dir/x.cal"
refuses "a target in a missing folder is refused" 1 "$dir/missing/x.cal" calibrate "$model" $options -o "$dir/missing/x.cal"
refuses "a folder as target is refused" 1 "$dir: " calibrate "$model" $options -o "$dir"
cp "$text" "$dir/text"
refuses "a text in the place of the calibration is not replaced" 1 "$dir/text: exists and is not a calibration" calibrate "$model" --text "$dir/text" -o "$dir/text"
refuses "nor is the model" 1 "$model: exists and is not a calibration" calibrate "$model" $options -o "$model"
holds "both stay as they were" [ "$(cksum <"$text")" = "$(cksum <"$dir/text")" -a "$(head -c 5 "$model")" = BRISE ]
holds "refusals leave nothing: $(left)" [ -z "$(left)" ]
rm -f "$dir.unfinished"
echo "the only copy of a letter" >"$dir/x.cal.unfinished"
refuses "a file that is no calibration is not overwritten" 1 "$dir/x.cal.unfinished: exists" calibrate "$model" $options -o "$dir/x.cal"
holds "but stays as it was" [ "$(cat "$dir/x.cal.unfinished")" = "the only copy of a letter" ]
rm -f "$dir/x.cal.unfinished"
echo "a letter" >"$dir/x.cal.q8.part"
try calibrate "$checkpoint" $options -o "$dir/x.cal"
holds "nor is one of the name that the model would get, which gets another: $(left)" [ "$status" -eq 0 -a "$(cat "$dir/x.cal.q8.part")" = "a letter" -a "$(left)" = "x.cal x.cal.q8.part " ]
rm -f "$dir/x.cal.q8.part" "$dir/x.cal"
echo "mine" >"$dir/x.cal.f16"
try calibrate "$checkpoint" $options -o "$dir/x.cal"
holds "files of other names stay" [ "$status" -eq 0 -a "$(cat "$dir/x.cal.f16")" = mine ]
rm -f "$dir/x.cal" "$dir/x.cal.f16"

refuses "effort best asks for a calibration" 1 "needs the text of a calibration" convert "$checkpoint" "$dir/x.brise" --effort best
refuses "a missing calibration is refused" 1 "$dir/missing.cal" convert "$checkpoint" "$dir/x.brise" --calibration "$dir/missing.cal"
refuses "a model is no calibration, and the message says what makes one" 1 "brise calibrate" convert "$checkpoint" "$dir/x.brise" --calibration "$model"
for type in q8 f16; do
	refuses "a calibration is not for $type" 2 "--calibration: works with --type q4 and q3" convert "$checkpoint" "$dir/x.brise" --calibration "$dir/whole.cal" --type $type
done
holds "nor do those: $(left)" [ -z "$(left)" ]

mkdir "$dir/small"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=512k tmpfs "$dir/small" 2>/dev/null; then
	mounted=yes
	refuses "a disk without room is noticed at once" 1 "No space" calibrate "$model" $options -o "$dir/small/x.cal"
	holds "and nothing is left there" [ -z "$(ls -A "$dir/small")" ]
	umount "$dir/small" && mounted=
else
	skipped=$((skipped + 1))
	echo "skipped: a disk without room: no small file system can be mounted here" >&2
fi
rmdir "$dir/small"

# ---- interruptions --------------------------------------------------------------------------------------------------

layers_done() { # of the unfinished file: u32 at 12
	od -An -tu4 -j 12 -N 4 "$dir/x.cal.unfinished" 2>/dev/null | tr -d ' '
}

if sh -c 'kill -s INT $$; exit 0' 2>/dev/null; then
	skipped=$((skipped + 1))
	echo "skipped: ctrl-C: this shell was started with SIGINT ignored" >&2
else
	# One thread, and as much work as lasts; builds that check themselves are slow enough with
	# little.
	tokens=300
	[ "${BRISE_BUILD:-build}" = build ] && tokens=6000
	cat "$text" "$text" >"$dir/text"
	long="--text $dir/text --tokens $tokens --span 512 -t 1"
	try calibrate "$model" $long -o "$dir/whole.cal"
	interrupt '[ "$(layers_done)0" -ge 10 ]' calibrate "$model" $long -o "$dir/x.cal"
	holds "ctrl-C stops calibrate with status 130" [ "$status" -eq 130 ]
	says "and says how to go on" "the same command resumes there"
	holds "what was done stays: $(left)" [ "$(left)" = "x.cal.unfinished " ]
	try convert "$checkpoint" "$dir/x.brise" --calibration "$dir/x.cal.unfinished"
	holds "an unfinished calibration converts nothing" [ "$status" -eq 1 -a "$(grep -cF "interrupted" "$dir/err")" -eq 1 -a ! -e "$dir/x.brise" ]
	try calibrate "$model" $long -o "$dir/x.cal"
	holds "the same command goes on" [ "$status" -eq 0 ]
	says "and says from where" "resumed after layer" 2
	holds "to the same file" cmp -s "$dir/x.cal" "$dir/whole.cal"
	holds "of which nothing unfinished is left: $(left)" [ "$(left)" = "x.cal " ]
	rm -f "$dir/x.cal"

	interrupt '[ "$(layers_done)0" -ge 10 ]' calibrate "$checkpoint" $long -o "$dir/x.cal"
	holds "ctrl-C leaves of a checkpoint's run only what was done: $(left)" [ "$status" -eq 130 -a "$(left)" = "x.cal.unfinished " ]
	try calibrate "$checkpoint" $long -o "$dir/x.cal"
	holds "which resumes" [ "$status" -eq 0 -a "$(grep -cF "resumed after layer" "$dir/err")" -eq 1 ]
	holds "to the same file, too" cmp -s "$dir/x.cal" "$dir/whole.cal"
	rm -f "$dir/x.cal"
	interrupt '[ -n "$(ls "$dir" | grep "x.cal.q8")" ]' calibrate "$checkpoint" $long -o "$dir/x.cal"
	holds "ctrl-C while its model is made, or soon after, leaves nothing at all: $(left)" [ "$status" -eq 130 -a -z "$(left)" ]

	interrupt '[ -e "$dir/x.cal.unfinished" ]' calibrate "$model" $long -o "$dir/x.cal"
	[ "$(layers_done)0" -ge 10 ] && rm -f "$dir/x.cal.unfinished" # the signal came too late
	holds "ctrl-C before a layer is done leaves nothing: $(left)" [ "$status" -eq 130 -a -z "$(left)" ]
	rm -f "$dir/x.cal.unfinished"

	# Even a kill leaves no model of gigabytes: its name is gone as soon as it is open.
	signal=KILL interrupt '[ "$(layers_done)0" -ge 10 ]' calibrate "$checkpoint" $long -o "$dir/x.cal"
	holds "a kill leaves of a checkpoint's run only what was done: $(left)" [ "$status" -eq 137 -a "$(left)" = "x.cal.unfinished " ]
	try calibrate "$checkpoint" $long -o "$dir/x.cal" --tokens 200
	holds "what is of no use is overwritten with a note" [ "$status" -eq 0 -a "$(grep -cF "another model, text or options; started again" "$dir/err")" -eq 1 ]
	rm -f "$dir/x.cal"

	signal=KILL interrupt '[ "$(layers_done)0" -ge 10 ]' calibrate "$model" $long -o "$dir/x.cal"
	# A byte of the states after the moments, the last of the half that an even number of
	# layers leaves, or of the other.
	size=$(wc -c <"$dir/x.cal.unfinished")
	half=$((tokens * 512 * 4))
	printf '\377\377\377' | dd of="$dir/x.cal.unfinished" bs=1 seek=$((size - 1003)) conv=notrunc 2>/dev/null
	printf '\377\377\377' | dd of="$dir/x.cal.unfinished" bs=1 seek=$((size - half - 1003)) conv=notrunc 2>/dev/null
	try calibrate "$model" $long -o "$dir/x.cal"
	holds "damaged states are noticed" [ "$status" -eq 0 -a "$(grep -cF "damaged since it was interrupted; started again" "$dir/err")" -eq 1 ]
	holds "and computed again" cmp -s "$dir/x.cal" "$dir/whole.cal"
	rm -f "$dir/x.cal"
fi

# ---- use ------------------------------------------------------------------------------------------------------------

for type in $book_types; do
	try convert "$checkpoint" "$dir/a.brise" --calibration "$dir/whole.cal" --effort fast --type $type -t 1
	holds "a calibrated conversion to $type succeeds" [ "$status" -eq 0 -a -s "$dir/a.brise" ]
	try convert "$checkpoint" "$dir/b.brise" --calibration "$dir/whole.cal" --effort fast --type $type -t 2
	holds "and gives the same file with other threads" cmp -s "$dir/a.brise" "$dir/b.brise"
	try convert "$checkpoint" "$dir/b.brise" --effort fast --type $type
	holds "but not the one without calibration" sh -c '! cmp -s "$0" "$1"' "$dir/a.brise" "$dir/b.brise"
done

report calibrate_cli
