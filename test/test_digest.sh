#!/bin/sh
# test_digest.sh - every kernel set that this machine runs gives the digest that every other machine
# gives
. test/statements.sh
export BRISE_MODEL BRISE_TYPE
for BRISE_TYPE in $book_types; do
	BRISE_MODEL=$dir/$BRISE_TYPE.brise
	requires "breeze is converted to $BRISE_TYPE" "$brise" convert test/models/breeze "$BRISE_MODEL" --type $BRISE_TYPE 2>"$dir/err"
	arches=$(list_arches "$brise" "$BRISE_MODEL")
	requires "info lists the kernel sets, scalar among them" has_word scalar:true "$arches"
	for entry in $arches; do
		arch=${entry%:*}
		if [ "${entry#*:}" = true ]; then
			for threads in 1 3; do
				holds "the digest of $BRISE_TYPE with $arch and $threads threads" sh test/same_digest.sh "$brise" --arch "$arch" --threads $threads
			done
		else
			skip "digest of $BRISE_TYPE with $arch" "not on this machine"
		fi
	done
done
report digest
