#!/bin/sh
# demo.sh BUILD_DIR - the fp16 checkpoint in test/models/breeze becomes a 4-bit file, and text streams out of it
set -e
brise=$1/brise model=$1/breeze-q4.brise
"$brise" convert test/models/breeze "$model" --type q4
"$brise" info "$model"
echo
"$brise" run "$model" "The shell is a program that" -n 120 --temperature 0.8 --seed 1 --stats
