#!/bin/sh
# demo.sh BUILD_DIR - converts the fp16 checkpoint in test/models/breeze to 4 bits, calibrated on
# text that it wrote itself, and generates text
set -e
brise=$1/brise checkpoint=test/models/breeze model=$1/breeze-q4.brise
"$brise" calibrate $checkpoint --text $checkpoint/writing.txt -o "$1/breeze.cal"
"$brise" convert $checkpoint "$model" --type q4 --effort high --calibration "$1/breeze.cal"
"$brise" info "$model"
echo
"$brise" run "$model" "The shell is a program that" -n 120 --temperature 0.8 --seed 1 --stats
