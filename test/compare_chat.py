#!/usr/bin/python3
"""compare_chat.py BRISE MODEL... - conversations in ChatML and Zephyr's form, against Hugging Face's programs

Each MODEL, a SentencePiece tokenizer.model, is turned into tokenizer.json with each spelling of spaces and, for ChatML, with its two tokens added, as fine-tunes
have them. 200 conversations, the same every time, are rendered from the published templates by npm's `@huggingface/jinja` and cut by npm's `tokenizers` (folders
in BRISE_NODE_JINJA and BRISE_NODE_TOKENIZERS) with the begin token in front; `brise tokenize FILE --chat --jsonl` must give the same ids, for tokenizer.json with
--chat-format, and for a .brise file converted from a folder with the template, which is to be recognised. Needs Python's sentencepiece.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

from compare_added_tokens import SCHEMES, spell, write_json
from compare_sentencepiece import WORDS, compare, import_sentencepiece, run
from compare_tokenizer_json import make_checkpoint, make_json, read_types
from counts import report

CONVERSATIONS = 200
# github.com/openai/openai-python's chatml.md as transformers' documentation spells it; the same with the begin token, as NousResearch/Hermes-2-Pro-Mistral-7B has
# it; HuggingFaceH4/zephyr-7b-beta.
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
ZEPHYR = ("{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n"
          "{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n"
          "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
          "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}")
TEMPLATES = [("chatml", CHATML), ("chatml", "{{bos_token}}" + CHATML), ("zephyr", ZEPHYR)]
TOKENS = {"chatml": [[("<|im_end|>", {"special": True}), ("<|im_start|>", {})], [("<|im_end|>", {"special": True}), ("<|im_start|>", {"special": True})]], "zephyr": [[]]}

NODE = """
const [jinjaFolder, tokenizersFolder, file, template] = process.argv.slice(1);
const { Template } = require(jinjaFolder), { Tokenizer } = require(tokenizersFolder);
const tokenizer = Tokenizer.fromFile(file), rendered = new Template(template);
(async () => {
    for (const line of require("fs").readFileSync(0, "utf8").split("\\n").filter(Boolean)) {
        const { messages } = JSON.parse(line);
        const text = rendered.render({ messages, bos_token: "<s>", eos_token: "</s>", add_generation_prompt: messages[messages.length - 1].role !== "assistant" });
        const encoding = await tokenizer.encode(text, null, { addSpecialTokens: !template.includes("bos_token") });
        console.log(JSON.stringify(encoding.getIds()));
    }
})();
"""


def make_text(rng):
    parts = []
    for _ in range(rng.randrange(1, 12)):
        parts += [rng.choice(WORDS), rng.choice(["", " ", " ", " ", "  ", "\n", "\n\n", ". ", "\t", ", "])]
    text = "".join(parts)
    return rng.choice([text, text.strip(), " " + text, text + "\n", text + " "]) if rng.random() < 0.5 else text.strip() or "x"


def draw_conversations(rng):
    """Turns of both, with and without a system prompt and a last answer. No text spells a token: Hugging Face's would be one."""
    talks = []
    while len(talks) < CONVERSATIONS:
        messages = [{"role": "system", "content": make_text(rng)}] if rng.random() < 0.5 else []
        for _ in range(rng.randrange(1, 5)):
            messages += [{"role": "user", "content": make_text(rng)}, {"role": "assistant", "content": make_text(rng)}]
        if rng.random() < 0.8:
            messages.pop()
        if all(m["content"] and not any(t in m["content"] for t in ("<s>", "</s>", "<unk>", "<|im_", "[INST]", "[/INST]")) for m in messages):
            talks.append({"messages": messages})
    return talks


def run_node(path, template, talks):
    command = ["node", "-e", NODE, os.environ["BRISE_NODE_JINJA"], os.environ["BRISE_NODE_TOKENIZERS"], path, template]
    result = subprocess.run(command, input="".join(json.dumps(t) + "\n" for t in talks).encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in result.stdout.decode().split("\n") if line]


def compare_format(brise, what, tokenizer, vocab, name, template, talks):
    with tempfile.TemporaryDirectory() as folder:
        path, model = os.path.join(folder, "tokenizer.json"), os.path.join(folder, "model.brise")
        write_json(path, tokenizer)
        expected = run_node(path, template, talks)
        results = [compare(f"{what}: tokenizer.json", talks, expected, run(brise, [path, "--chat", "--chat-format", name], talks))]
        write_json(os.path.join(folder, "tokenizer_config.json"), {"bos_token": "<s>", "eos_token": "</s>", "chat_template": template})
        make_checkpoint(folder, vocab)
        subprocess.run([brise, "convert", folder, model, "--type", "f16"], stderr=subprocess.DEVNULL, check=True)
        return results + [compare(f"{what}: converted with its template", talks, expected, run(brise, [model, "--chat"], talks))]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sentencepiece = import_sentencepiece("compare_chat")
    if not os.environ.get("BRISE_NODE_TOKENIZERS") or not os.environ.get("BRISE_NODE_JINJA"):
        print("compare_chat: 0 passed, 0 failed, 1 skipped")
        return 0
    results = []
    for model in sys.argv[2:]:
        processor, types = sentencepiece.SentencePieceProcessor(model_file=model), read_types(model)
        plain, base = make_json(processor, types, False), processor.vocab_size()
        talks = draw_conversations(random.Random(7))
        for name, template in TEMPLATES:
            for scheme in SCHEMES[:3]:
                for added in TOKENS[name]:
                    what = f"{os.path.basename(model)}, {name}{', bos_token' * ('bos_token' in template)}, {scheme}, {sum(bool(f) for _, f in added)} special"
                    results += compare_format(sys.argv[1], what, spell(plain, scheme, added, base), base + len(added), name, template, talks)
    return report("compare_chat", sum(r[0] for r in results), sum(r[1] for r in results))


if __name__ == "__main__":
    sys.exit(main())
