"""load_cases.py - short requests of all APIs for serve_load.py, and what their answers say, whether they stream or not (standard library only)

An answer is a list of choices {text, calls, end, logprobs} and the numbers of tokens; ids and times, which differ, are left out.
"""
import json

PROMPTS = ["The", "Once upon a time", "In the beginning", "She said that", "A list of colours: red,", "1, 2, 3,",
           "The weather in the mountains is", "He walked along the river until"]
SCHEMAS = [
    {"type": "object", "properties": {"name": {"type": "string", "maxLength": 6}, "big": {"type": "boolean"}}, "required": ["name", "big"], "additionalProperties": False},
    {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 1, "maxItems": 3},
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["n"], "additionalProperties": False},
]
GRAMMARS = ['root ::= "yes" | "no"', "root ::= [a-z]{1,5} (\" \" [a-z]{1,5}){0,2}", 'root ::= "-"? [0-9]{1,6}']
PLACE = {"type": "object", "properties": {"at": {"type": "string", "maxLength": 6}, "unit": {"enum": ["C", "F"]}}, "required": ["at", "unit"], "additionalProperties": False}
COUNT = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"], "additionalProperties": False}
TOOLS = [("look", "Looks at a place", PLACE), ("count", "Counts", COUNT)]
PER_API = 16


def draw(i):
    """What the APIs name alike."""
    body = {"seed": i, "temperature": [0, 0.8, 1.2][i % 3]}
    if i % 5 == 1:
        body["top_k"] = 20
    if i % 7 == 2:
        body["repetition_penalty"] = 1.1
    return body


def turns(i):
    """A conversation of one to three messages."""
    return [{"role": ("user", "assistant")[k % 2], "content": PROMPTS[(i + k) % len(PROMPTS)]} for k in range((1, 3)[i % 3 == 1])]


def completions(i):
    body = {**draw(i), "prompt": PROMPTS[i % len(PROMPTS)], "max_tokens": 4 + i % 9}
    if i % 5 == 0:
        body["n"] = 2
    if i % 6 == 0:
        body["logprobs"] = 2
    if i % 7 == 0:
        body["stop"] = ["e"]
    if i % 11 == 0:
        body["frequency_penalty"] = 0.5
    if i % 8 == 3:
        body.update(grammar=GRAMMARS[i % 3], max_tokens=24)
    return body


def chat(i):
    system = [{"role": "system", "content": "Answer in one word."}] if i % 2 else []
    body = {**draw(i), "messages": system + turns(i), "max_tokens": 4 + i % 9}
    if i % 4 == 1:
        body.update(response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMAS[i % 3]}}, max_tokens=48)
    elif i % 4 == 2:
        choice = ["required", "auto", "none", {"type": "function", "function": {"name": "count"}}][i // 4 % 4]
        body.update(tools=[{"type": "function", "function": {"name": n, "description": d, "parameters": p}} for n, d, p in TOOLS], tool_choice=choice, max_tokens=48)
        body["parallel_tool_calls"] = False
    elif i % 8 == 3:
        body.update(grammar=GRAMMARS[i % 3], max_tokens=24)
    elif i % 8 == 4:
        body.update(logprobs=True, top_logprobs=2, n=2)
    return body


def responses(i):
    body = {**draw(i), "input": PROMPTS[i % len(PROMPTS)] if i % 2 else turns(i), "max_output_tokens": 4 + i % 9}
    if i % 3 == 0:
        body["instructions"] = "Answer in one word."
    if i % 4 == 1:
        body.update(text={"format": {"type": "json_schema", "name": "answer", "schema": SCHEMAS[i % 3]}}, max_output_tokens=48)
    elif i % 4 == 2:
        choice = ["required", "auto", "none", {"type": "function", "name": "look"}][i // 4 % 4]
        body.update(tools=[{"type": "function", "name": n, "description": d, "parameters": p} for n, d, p in TOOLS], tool_choice=choice, max_output_tokens=48)
        body["parallel_tool_calls"] = False
    elif i % 8 == 3:
        body.update(include=["message.output_text.logprobs"], top_logprobs=1)
    return body


def messages(i):
    body = {**draw(i), "messages": turns(i), "max_tokens": 4 + i % 9}
    if i % 3 == 0:
        body["system"] = [{"type": "text", "text": "Answer in one word."}]
    if i % 4 == 1:
        body.update(output_config={"format": {"type": "json_schema", "schema": SCHEMAS[i % 3]}}, max_tokens=48)
    elif i % 4 == 2:
        choice = [{"type": "any"}, {"type": "auto"}, {"type": "none"}, {"type": "tool", "name": "count"}][i // 4 % 4]
        body.update(tools=[{"name": n, "description": d, "input_schema": p} for n, d, p in TOOLS], max_tokens=48, tool_choice=choice)
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    elif i % 8 == 3:
        body["stop_sequences"] = ["e", "a"]
    return body


def embeddings(i):
    return {"input": PROMPTS[i % len(PROMPTS)]}


def make_cases():
    """[(path, body)], the APIs in turn; the last one does not stream."""
    apis = ("completions", completions), ("chat/completions", chat), ("responses", responses), ("messages", messages)
    return [("/v1/" + name, make(i)) for i in range(PER_API) for name, make in apis] + [("/v1/embeddings", embeddings(i)) for i in range(2)]


def can_stream(path):
    return path != "/v1/embeddings"


def with_stream(path, body):
    more = {"stream_options": {"include_usage": True}} if path.endswith("completions") else {}
    return {**body, "stream": True, **more}


def read_events(text):
    """The data of a stream whose events have names; every name is the data's type."""
    events = []
    for event in text.removesuffix("\n\n").split("\n\n"):
        name, _, data = event.partition("\ndata: ")
        events.append(json.loads(data))
        if name != "event: " + events[-1]["type"]:
            raise ValueError("an event without its name: " + event)
    return events


def read_chunks(text):
    """The data of a stream of OpenAI's older APIs, which [DONE] ends."""
    events = text.split("\n\n")
    if events[-2:] != ["data: [DONE]", ""]:
        raise ValueError("the stream has no end: ..." + text[-100:])
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def openai_logprobs(found):
    if not found:
        return []
    return found["token_logprobs"] if "token_logprobs" in found else [[t["logprob"], [o["logprob"] for o in t["top_logprobs"]]] for t in found["content"]]


def read_openai(parts):
    """Of completions and chat: a whole reply is one part, whose choices have messages for deltas."""
    choices, usage = {}, None
    for part in parts:
        usage = part.get("usage") or usage
        for choice in part["choices"]:
            whole = choices.setdefault(choice["index"], {"text": "", "calls": [], "end": None, "logprobs": []})
            piece = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            whole["text"] += piece.get("content") or ""
            for at, call in enumerate(piece.get("tool_calls") or []):
                if call.get("index", at) == len(whole["calls"]):
                    whole["calls"].append([call["function"]["name"], ""])
                whole["calls"][call.get("index", at)][1] += call["function"].get("arguments", "")
            whole["end"] = choice["finish_reason"] or whole["end"]
            whole["logprobs"] += openai_logprobs(choice["logprobs"])
    return [choices[i] for i in sorted(choices)] + [[usage["prompt_tokens"], usage["completion_tokens"]]]


def read_response(reply):
    answer = {"text": "", "calls": [], "end": [reply["status"], reply["incomplete_details"]], "logprobs": []}
    for item in reply["output"]:
        if item["type"] == "function_call":
            answer["calls"].append([item["name"], item["arguments"]])
        else:
            answer["text"] += "".join(part["text"] for part in item["content"])
            answer["logprobs"] += [[t["logprob"], [o["logprob"] for o in t["top_logprobs"]]] for part in item["content"] for t in part["logprobs"]]
    return [answer, [reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]]]


def read_response_events(events):
    """The whole that the last event has; its parts must have said the same."""
    if [event["sequence_number"] for event in events] != list(range(len(events))):
        raise ValueError("the events are not numbered in turn")
    answer = read_response(events[-1]["response"])
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    arguments = "".join(event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta")
    if text != answer[0]["text"] or arguments != "".join(call[1] for call in answer[0]["calls"]):
        raise ValueError("the parts %r, %r are not the whole %r" % (text, arguments, answer))
    return answer


def read_message(reply):
    usage = reply["usage"]
    answer = {"text": "".join(block["text"] for block in reply["content"] if block["type"] == "text"),
              "calls": [[block["name"], block["input"]] for block in reply["content"] if block["type"] == "tool_use"],
              "end": [reply["stop_reason"], reply["stop_sequence"]]}
    return [answer, [usage["input_tokens"] + usage["cache_read_input_tokens"], usage["output_tokens"]]]


def read_message_events(events):
    reply = None
    for event in events:
        if event["type"] == "message_start":
            reply = event["message"]
        elif event["type"] == "content_block_start":
            reply["content"].append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
            reply["content"][event["index"]]["text"] += event["delta"]["text"]
        elif event["type"] == "content_block_delta":
            reply["content"][event["index"]]["json"] += event["delta"]["partial_json"]
        elif event["type"] == "message_delta":
            reply = {**reply, **event["delta"], "usage": {**reply["usage"], **event["usage"]}}
    if events[-1]["type"] != "message_stop":
        raise ValueError("the stream has no end: %r" % events[-1])
    for block in reply["content"]:
        block["input"] = read_input(block["json"])
    return read_message(reply)


def read_input(text):
    """{} where the call was cut off, as a whole reply has it."""
    try:
        return json.loads(text)
    except ValueError:
        return {}


def read_answer(path, streams, text):
    if path == "/v1/embeddings":
        return json.loads(text)["data"]
    if path == "/v1/messages":
        return read_message_events(read_events(text)) if streams else read_message(json.loads(text))
    if path == "/v1/responses":
        return read_response_events(read_events(text)) if streams else read_response(json.loads(text))
    return read_openai(read_chunks(text) if streams else [json.loads(text)])
