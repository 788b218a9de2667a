#!/bin/sh
# test_batch.sh - brise batch: a reply for each line, stopped and continued, torn and hostile files
. test/statements.sh

brise="${BRISE_BUILD:-build}/brise"
model="$dir/breeze.brise"
"$brise" convert test/models/breeze "$model" --effort fast 2>/dev/null || exit 1

line() { # id, seed
	printf '{"custom_id": "%s", "method": "POST", "url": "/v1/completions", "body": {"prompt": "The wind", "max_tokens": 12, "temperature": 1, "seed": %s}}\n' "$1" "$2"
}
ids() { sed -n 's/.*"custom_id":"\([^"]*\)".*/\1/p' "$1" | sort; }
# Replies in order of ids, without what differs between runs.
replies() { sed 's/"id":"[^"]*"//g; s/"request_id":"[^"]*"//; s/"created":[0-9]*//; s/"cached_tokens":[0-9]*//' "$1" | sort; }

for i in $(seq 1 24); do line "r$i" "$i"; done >"$dir/in"
"$brise" batch "$model" "$dir/in" "$dir/whole" --parallel 1 2>"$dir/note"
holds "a batch ends" [ $? = 0 ]
holds "each request has one reply" [ "$(ids "$dir/whole" | uniq | wc -l)" = 24 ]
holds "with status 200 and a text" [ "$(grep -c '"status_code":200,.*"text":"' "$dir/whole")" = 24 ]
holds "it says how many" grep -q '24 requests: 0 answered before, 24 now, 0 of these failed' "$dir/note"

"$brise" batch "$model" "$dir/in" "$dir/many" --parallel 8 2>/dev/null
holds "several at once give the same replies" [ "$(replies "$dir/whole")" = "$(replies "$dir/many")" ]
for type in $book_types; do
	[ $type != q4 ] || continue # the default
	"$brise" convert test/models/breeze "$dir/$type.brise" --type $type --effort fast 2>/dev/null
	for parallel in 1 8; do "$brise" batch "$dir/$type.brise" "$dir/in" "$dir/$type.$parallel" --parallel $parallel 2>/dev/null; done
	holds "each request has one reply with a text ($type)" [ "$(grep -c '"status_code":200,.*"text":"' "$dir/$type.1")" = 24 ]
	holds "several at once give the same replies ($type)" [ "$(replies "$dir/$type.1")" = "$(replies "$dir/$type.8")" ]
done

cp "$dir/whole" "$dir/again"
"$brise" batch "$model" "$dir/in" "$dir/again" 2>"$dir/note"
holds "what is done is not asked again" cmp -s "$dir/whole" "$dir/again"
holds "and counted" grep -q '24 answered before, 0 now' "$dir/note"

head -n 9 "$dir/whole" >"$dir/torn"
sed -n 10p "$dir/whole" | head -c 100 >>"$dir/torn"
"$brise" batch "$model" "$dir/in" "$dir/torn" 2>/dev/null
holds "a torn last line is asked again" [ "$(replies "$dir/whole")" = "$(replies "$dir/torn")" ]

cp "$dir/whole" "$dir/rest"
printf '{"id":"batch_req_9","custom' >>"$dir/rest"
"$brise" batch "$model" "$dir/in" "$dir/rest" 2>/dev/null
holds "nothing is left of a torn line where nothing follows" cmp -s "$dir/whole" "$dir/rest"

# A file that is no batch's is left alone, whatever its other lines have.
printf '{"a": 1}\n{"custom_id":null,"response":null,"error":{}}\n' >"$dir/other"
cp "$dir/other" "$dir/kept"
"$brise" batch "$model" "$dir/in" "$dir/other" 2>"$dir/note"
holds "a file of other lines is refused" [ $? = 1 ]
holds "by the line" grep -q 'line 1 is no reply of a batch' "$dir/note"
holds "and stays as it is" cmp -s "$dir/other" "$dir/kept"

# Stopped in the middle, by each signal.
for signal in HUP TERM KILL; do
	rm -f "$dir/cut"
	for i in $(seq 1 24); do line "r$i" "$i"; done | sed 's/"max_tokens": 12/"max_tokens": 60/' >"$dir/long"
	"$brise" batch "$model" "$dir/long" "$dir/cut" --parallel 2 2>"$dir/note" &
	pid=$!
	for wait in $(seq 1 100); do
		[ ! -s "$dir/cut" ] || break
		sleep 0.05
	done
	kill -s "$signal" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	status=$?
	[ "$signal" = KILL ] || holds "SIG$signal: the status says so, or all was done" \
		[ "$status" = 0 -o "$status" = 129 -o "$status" = 143 ]
	"$brise" batch "$model" "$dir/long" "$dir/cut" 2>/dev/null
	holds "SIG$signal: continued, each has one reply" [ "$(ids "$dir/cut" | uniq -c | awk '$1 == 1' | wc -l)" = 24 ]
done

cat >"$dir/odd" <<'LINES'
{"custom_id": "no url", "body": {"prompt": "a"}}

{"custom_id": "wrong url", "method": "POST", "url": "/v1/nothing", "body": {}}
not JSON
{"custom_id": "a\u0000b", "method": "POST", "url": "/v1/completions", "body": {"prompt": "a"}}
{"custom_id": "get", "method": "GET", "url": "/v1/completions", "body": {}}
{"custom_id": "wrong type", "method": "POST", "url": "/v1/completions", "body": {"prompt": 1.5}}
{"custom_id": "stream", "method": "POST", "url": "/v1/completions", "body": {"prompt": "a", "max_tokens": 2, "stream": true}}
{"custom_id": "twice", "method": "POST", "url": "/v1/completions", "body": {"prompt": "a", "max_tokens": 2}}
{"custom_id": "twice", "method": "POST", "url": "/v1/completions", "body": {"prompt": "a", "max_tokens": 2}}
{"custom_id": "vector", "method": "POST", "url": "/v1/embeddings", "body": {"input": "a"}}
LINES
"$brise" batch "$model" "$dir/odd" "$dir/odd.out" 2>"$dir/note"
holds "lines that are wrong do not end a batch" [ $? = 0 ]
holds "a line without an url has an error" grep -q '"custom_id":"no url","response":null,"error":{' "$dir/odd.out"
holds "an unknown url" grep -q '"custom_id":"wrong url","response":null,"error":{"code":"invalid_line","message":"url' "$dir/odd.out"
holds "a line that is no JSON" grep -q '"id":"batch_req_3","custom_id":null,"response":null,"error":{.*"message":"request: line 1, byte 0: ' "$dir/odd.out"
holds "an id with a zero character" grep -q '"custom_id":"a","response":null,"error":{.*zero character' "$dir/odd.out"
holds "another method" grep -q '"custom_id":"get","response":null' "$dir/odd.out"
holds "a refused request has its status" grep -q '"custom_id":"wrong type","response":{"status_code":400,' "$dir/odd.out"
holds "a stream is refused" grep -q '"custom_id":"stream","response":{"status_code":400,' "$dir/odd.out"
holds "an id that comes twice is answered once" [ "$(grep -c '"custom_id":"twice"' "$dir/odd.out")" = 1 ]
holds "the model is called as its file is" [ "$(grep -c "\"model\":\"$(basename "$model" .brise)\"" "$dir/odd.out")" -ge 2 ]
holds "an embedding" grep -q '"custom_id":"vector","response":{"status_code":200,.*"embedding":\[' "$dir/odd.out"

cat >"$dir/apis" <<'LINES'
{"custom_id": "chat", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}}
{"custom_id": "responses", "method": "POST", "url": "/v1/responses", "body": {"input": "Hello", "max_output_tokens": 4}}
{"custom_id": "messages", "method": "POST", "url": "/v1/messages", "body": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}}
{"custom_id": "count", "method": "POST", "url": "/v1/messages/count_tokens", "body": {"messages": [{"role": "user", "content": "Hello"}]}}
{"custom_id": "no item", "method": "POST", "url": "/v1/responses", "body": {"input": [{"type": "item_reference", "id": "msg_1"}]}}
{"custom_id": "no limit", "method": "POST", "url": "/v1/messages", "body": {"messages": [{"role": "user", "content": "Hello"}]}}
LINES
"$brise" batch "$model" "$dir/apis" "$dir/apis.out" --chat-format v1 2>/dev/null
replied() { # id, status, what is in the reply
	grep -q "\"custom_id\":\"$1\",\"response\":{\"status_code\":$2,.*$3" "$dir/apis.out"
}
holds "a chat completion" replied chat 200 '"object":"chat.completion"'
holds "a response" replied responses 200 '"object":"response",.*"type":"output_text"'
holds "a message" replied messages 200 '"type":"message",.*"stop_reason":"max_tokens"'
holds "a count of a message's tokens" replied count 200 '"input_tokens":[1-9]'
holds "a reference to an item is refused, since none are kept" replied "no item" 400 '"code":"item_not_found"'
holds "a message without max_tokens has the API's error" replied "no limit" 400 '"type":"error",.*max_tokens'

cp "$dir/in" "$dir/not.replies"
"$brise" batch "$model" "$dir/in" "$dir/not.replies" 2>"$dir/note"
holds "a file of something else is refused" [ $? = 1 ]
holds "and left as it was" cmp -s "$dir/in" "$dir/not.replies"
"$brise" batch "$model" "$dir/in" "$dir/in" 2>"$dir/note"
holds "the same file twice is refused" grep -q 'same file' "$dir/note"
"$brise" batch "$model" "$dir/missing" "$dir/x" 2>"$dir/note"
holds "no such file" [ $? = 1 -a ! -e "$dir/x" ]
printf '%s' "$(line last 1)" >"$dir/unended"
"$brise" batch "$model" "$dir/unended" "$dir/unended.out" 2>/dev/null
holds "a last line without an end is a line" grep -q '"custom_id":"last"' "$dir/unended.out"
report batch
