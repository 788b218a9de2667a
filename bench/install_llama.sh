#!/bin/sh
# install_llama.sh FOLDER [PACKAGE...] - llama.cpp as node-llama-cpp builds it for this machine's
# processor (about 30 MB), and further npm packages
#
# Only the package of binaries is fetched, without what else node-llama-cpp depends on, and no
# package's script is run. Prints the folder node_modules; status 1, with the reason on standard
# error, where it is not available.
version=${LLAMA_VERSION:-3.22.1}
folder=$1
[ -n "$folder" ] || { echo "usage: install_llama.sh FOLDER [PACKAGE...]" >&2; exit 2; }
shift
for program in node npm; do
	command -v $program >/dev/null || { echo "$program is not installed" >&2; exit 1; }
done
[ "$(node -p 'process.version.slice(1).split(".")[0] >= 20')" = true ] || { echo "node is $(node --version), 20 or newer is needed" >&2; exit 1; }
system=$(node -p '`${process.platform}-${process.arch}`')
case $system in
linux-x64 | linux-arm64) ;;
*) echo "there are no binaries of llama.cpp for $system" >&2; exit 1 ;;
esac
mkdir -p "$folder" || exit 1
npm install --prefix "$folder" --omit=optional --ignore-scripts --no-audit --no-fund --no-save "@node-llama-cpp/$system@$version" "$@" >"$folder/npm.log" 2>&1 || {
	echo "npm cannot install @node-llama-cpp/$system@$version: $(grep -m 1 'npm ERR\|npm error' "$folder/npm.log")" >&2
	exit 1
}
echo "$folder/node_modules"
