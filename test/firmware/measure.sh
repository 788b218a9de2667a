#!/bin/sh
# measure.sh LIBRARY NEEDS NM - prints what a library of make firmware takes of a board's memory, and
# fails if it needs more of its environment than the names in NEEDS
nm=${3:-nm}
missing=$("$nm" -P "$1" 2>/dev/null | awk -v needs="$2" 'BEGIN { n = split(needs, names, " "); for (i = 1; i <= n; i++) have[names[i]] }
	NF >= 2 { if ($2 == "U") wanted[$1]; else if ($2 != "w") have[$1] }
	END { for (name in wanted) if (!(name in have)) print name }')
"$nm" -P -S "$1" >/dev/null || exit 1
size "$1" | awk 'NR > 1 { text += $1; data += $2; bss += $3 } END { printf "%d bytes of text, %d of data, %d of bss\n", text, data, bss }'
[ -z "$missing" ] && exit 0
echo "$1 needs of its environment:" $missing >&2
exit 1
