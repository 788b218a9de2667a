#!/bin/sh
# demo.sh BUILD_DIR - converts the fp16 checkpoint in test/models/breeze to 4 bits, calibrated on
# text that it wrote itself, generates text, and talks with its sibling breeze-chat
set -e
brise=$1/brise checkpoint=test/models/breeze model=$1/breeze-q4.brise
"$brise" calibrate $checkpoint --text $checkpoint/writing.txt -o "$1/breeze.cal"
"$brise" convert $checkpoint "$model" --type q4 --effort high --calibration "$1/breeze.cal"
"$brise" info "$model"
echo
"$brise" run "$model" "The shell is a program that" -n 120 --temperature 0.8 --seed 1 --stats

# In a pipe a line is a message, and answers are all that is written.
talker=$1/breeze-chat-q4.brise
messages="$1/demo.messages" answers="$1/demo.answers"
"$brise" convert test/models/breeze-chat "$talker" --type q4 --effort high 2>/dev/null
cat >"$messages" <<'END'
Hello, my name is Leopold.
Count from 7 to 12.
Text: The canoe is in the barn. Quentin has 9 lanterns. Question: How many lanterns does Quentin have?
What is my name?
END
"$brise" chat "$talker" --private --no-cache --temperature 0 <"$messages" >"$answers"
echo
paste -d '\n' "$messages" "$answers" | sed 'N; s/^/> /'
rm -f "$messages" "$answers"
