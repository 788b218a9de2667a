#!/bin/sh
# demo.sh BUILD_DIR - the fp16 checkpoint in test/models/breeze becomes a 4-bit file, calibrated by
# what it wrote itself, and text streams out of it
set -e
brise=$1/brise checkpoint=test/models/breeze model=$1/breeze-q4.brise
"$brise" calibrate $checkpoint --text $checkpoint/writing.txt -o "$1/breeze.cal"
"$brise" convert $checkpoint "$model" --type q4 --effort high --calibration "$1/breeze.cal"
"$brise" info "$model"
echo
"$brise" run "$model" "The shell is a program that" -n 120 --temperature 0.8 --seed 1 --stats
