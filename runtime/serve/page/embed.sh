#!/bin/sh
# embed.sh - files as a table of C, for runtime/serve/page/files.h
#
# Each is there twice, the second time packed by gzip; without a gzip to build with it is there once.
#
# sh embed.sh FILE... >SOURCE.c
set -e
bytes() { # name, of what standard input has
	echo "static const unsigned char $1[] = {"
	od -An -v -tu1 | sed -e 's/^ *//' -e 's/ *$//' -e 's/  */,/g' -e 's/$/,/'
	echo '};'
}
packs=
! echo x | gzip -9n >/dev/null 2>&1 || packs=yes

echo '/* made by runtime/serve/page/embed.sh */'
echo '#include "runtime/serve/page/files.h"'
i=0
for file in "$@"; do
	bytes "plain_$i" <"$file"
	[ -z "$packs" ] || gzip -9nc <"$file" | bytes "packed_$i"
	i=$((i + 1))
done
echo 'const page_file page_files[] = {'
i=0
for file in "$@"; do
	# Tags change when the file does: they are its sum and its length.
	tag=$(cksum <"$file" | awk '{ printf "%x-%x", $1, $2 }')
	packed='{ 0, 0, 0 }'
	[ -z "$packs" ] || packed="{ \"\\\"$tag-gzip\\\"\", packed_$i, sizeof packed_$i }"
	printf '\t{ "%s", { "\\"%s\\"", plain_%d, sizeof plain_%d }, %s },\n' "${file##*/}" "$tag" "$i" "$i" "$packed"
	i=$((i + 1))
done
echo '};'
echo "const size_t page_n_files = $i;"
