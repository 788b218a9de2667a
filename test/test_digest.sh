#!/bin/sh
# test_digest.sh - every kernel set that this machine runs gives the digest that every other machine
# gives
. test/statements.sh
BRISE_MODEL=$dir/m.brise
export BRISE_MODEL
requires "breeze is converted" "$brise" convert test/models/breeze "$BRISE_MODEL" --type q4 2>"$dir/err"
arches=$(list_arches "$brise" "$BRISE_MODEL")
requires "info lists the kernel sets, scalar among them" has_word scalar:true "$arches"
for entry in $arches; do
	arch=${entry%:*}
	if [ "${entry#*:}" = true ]; then
		for threads in 1 3; do
			holds "the digest with $arch and $threads threads" sh test/same_digest.sh "$brise" --arch "$arch" --threads $threads
		done
	else
		skip "digest with $arch" "not on this machine"
	fi
done
report digest
