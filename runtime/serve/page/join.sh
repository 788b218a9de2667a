#!/bin/sh
# join.sh - one script of the page's modules
#
# The modules are complete as they are, and tests import them one by one. Here they become one file:
# imports and the word export go, as do comments that have a line of their own and indentation.
# Every import stands in one line, names at the top level differ among modules, no text of several
# lines is written with backquotes, and modules are given in an order in which nothing is used at
# the top level before it is there.
#
# sh join.sh MODULE... >SCRIPT
set -e
double=$(sed -n -E 's/^(export )?(async )?(const|let|class|function) ([A-Za-z_]+).*/\4/p' "$@" | sort | uniq -d)
if [ -n "$double" ]; then
	echo "join.sh: several modules have:" $double >&2
	exit 1
fi
printf '%s\n' "'use strict';" '(() => {'
for module in "$@"; do
	sed -e '/^import /d' -e 's/^export //' -e 's/^[	 ]*//' -e '/^\/\//d' -e '/^$/d' "$module"
done
printf '%s\n' '})();'
