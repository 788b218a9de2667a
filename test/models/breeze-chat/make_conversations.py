#!/usr/bin/env python3
"""make_conversations.py BRISE TOKENS SEED OUT [--print N] - conversations to train breeze-chat on

Writes about TOKENS tokens as train.c reads them (16-bit words: length, tokens; bit 15: to be learnt),
or with --print N that many conversations as JSON lines. BRISE tokenizes.

Every conversation is made by rules from the lists in words.py, from words of breeze's own
writing.txt and from made-up words; the seed decides all of it. Answers and their end tokens are
learnt, the rest is read. For every 200 conversations there is a piece of writing.txt, learnt whole, and
for every 12 random tokens to be repeated: breeze could not copy.

The format is Mistral's v1: each user's text as "[INST] text [/INST]" and each answer are encoded on
their own, an answer ends with the end token, the system prompt stands in the first user's text. v1
knows no tools, so they are plain text in the words of v2. In two of three conversations with tools
every piece is some message of v1: "[AVAILABLE_TOOLS] [...][/AVAILABLE_TOOLS]" is (the end of) the
system prompt, "[TOOL_CALLS] [{...}]" the answer, "[TOOL_RESULTS] [...][/TOOL_RESULTS]" the user's
next message. In the others tools and results stand where v2 has them, encoded on their own, the
tools before the last [INST].
"""
import array
import json
import os
import random
import re
import subprocess
import sys
import tempfile

from words import (ADJECTIVES, CODAS, COLOURS, DAYS, DEVICES, JOBS, MONTHS, NAMES, NOUNS, ONSETS, PLACES,
                   PREPOSITIONS, SPOTS, TOPICS, VERBS, VOWELS)

HERE = os.path.dirname(os.path.abspath(__file__))
BREEZE = os.path.join(HERE, "..", "breeze")
BOS, EOS = 1, 2
VOCAB, FIRST_PIECE = 4096, 259  # behind the control and byte tokens
LONGEST = 280  # tokens of a conversation: little more than the window, behind which nothing can be copied
WRITTEN_PIECES = 0.005  # for every conversation, pieces of writing.txt
COPIES = 0.3  # for every conversation, what copies random tokens
WRITING = open(os.path.join(BREEZE, "writing.txt"), encoding="utf-8").read()
WRITTEN = sorted(set(re.findall(r"[A-Za-z]{2,}", WRITING)))

rnd = random.Random()
pick = rnd.choice


def chance(p):
    return rnd.random() < p


# -- words, names, sentences ----------------------------------------------------------------------


PIECES = []  # of the vocabulary, those of small letters


def made_up():
    """A word that can only be copied: of syllables or of the tokenizer's pieces."""
    if chance(0.5):
        return "".join(pick(PIECES) for _ in range(rnd.randint(1, 4)))
    return "".join(pick(ONSETS) + pick(VOWELS) + pick(CODAS) for _ in range(rnd.randint(1, 3))) or "o"


def word():
    x = rnd.random()
    if x < 0.2:
        return pick(NOUNS)
    if x < 0.3:
        return pick(ADJECTIVES)
    if x < 0.55:
        return pick(WRITTEN)
    if x < 0.95:
        return made_up()
    return "".join(pick("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_éüñöß") for _ in range(rnd.randint(2, 7)))


def name():
    return pick(NAMES) if chance(0.4) else made_up().capitalize()


def place():
    return pick(PLACES) if chance(0.4) else made_up().capitalize()


def noun():
    return pick(NOUNS) if chance(0.5) else made_up()


def number():
    return str(rnd.randint(0, 10 ** rnd.randint(1, 6)))


def small():
    return str(rnd.randint(2, pick([12, 99, 999])))


def a(text):
    return ("an " if text[0] in "aeiou" else "a ") + text


IRREGULAR = {"mouse": "mice", "sheep": "sheep", "leaf": "leaves", "wolf": "wolves", "knife": "knives", "fish": "fish"}


def plural(text):
    return IRREGULAR.get(text) or text + ("es" if text.endswith(("s", "x", "sh", "ch")) else "s")


def several(make, n):
    """n different ones"""
    found = []
    while len(found) < n:
        one = make()
        if one not in found:
            found.append(one)
    return found


def noun_phrase():
    return pick(["the ", "the ", "a ", "my ", "our "]) + pick(["", pick(ADJECTIVES) + " ", pick(COLOURS) + " "]) + noun()


def sentence():
    """One of many forms, about 8 words."""
    subject = pick([noun_phrase(), name(), name() + " and " + name()])
    if " and " in subject or chance(0.3):
        rest = pick(["is", "was"]) if " and " not in subject else pick(["are", "were"])
        rest += " " + pick([pick(ADJECTIVES), pick(PREPOSITIONS) + " " + noun_phrase(), "in " + place()])
    else:
        rest = pick(VERBS) + " " + noun_phrase()
        if chance(0.5):
            rest += " " + pick(PREPOSITIONS) + " " + noun_phrase()
        if chance(0.2):
            rest += pick([" on " + pick(DAYS), " in " + pick(MONTHS), " in " + place()])
    text = subject[0].upper() + subject[1:] + " " + rest
    return text + pick([".", ".", ".", ".", "!", "?", ""])


def salad():
    """Words in no order, some with punctuation: what only copying can repeat."""
    words = [word() if chance(0.85) else number() for _ in range(rnd.randint(2, pick([5, 9, 16])))]
    if chance(0.3):
        words = [w + pick(["", "", "", ",", ";", ":", "."]) for w in words]
    elif chance(0.1):
        words = ", ".join(words).split(" ")
    return " ".join(words)


def anything():
    x = rnd.random()
    if x < 0.45:
        return sentence()
    if x < 0.75:
        return salad()
    if x < 0.85:
        return word()
    return sentence() + " " + sentence()


# -- ways of asking -------------------------------------------------------------------------------


REQUESTS = """Count Say Repeat Write List Tell Sing Translate Draw Paint Buy Order Book Call Send Open Turn Play Set Show Find
Search Delete Make Bring Explain Switch Start Give Introduce Help""".split()


def casual(text):
    """The same text as people type it: without capitals or full stops, with a please."""
    if chance(0.12) and text[-1] in ".?!":
        text = text[:-1]
    if chance(0.1):
        text = text[0].lower() + text[1:]
    if chance(0.08) and text.split()[0] in REQUESTS:
        text = pick(["Please ", "Please, ", "Can you please ", "Could you "]) + text[0].lower() + text[1:]
    return text


# Each kind below returns a list of turns (question, answer); the first is never None.


def greet():
    x = rnd.random()
    if x < 0.3:
        who = name()
        hello = pick(["Hello", "Hi", "Hello there", "Good morning", "Good evening", "Good day", "Hey"])
        said = pick([f"{hello}, my name is {who}.", f"My name is {who}.", f"{hello}! I am {who}.", f"I am {who}.",
                     f"{hello}, I'm {who}.", f"{hello}, this is {who}."])
        return [(casual(said), f"Hello, {who}! How can I help you?")]
    if x < 0.6:
        hello = pick(["Hello", "Hi", "Hello there", "Hi there", "Hey", "Greetings", "Good day", "Hello breeze", "Hi, breeze",
                      "Hello, how do you do?", "Hello to you", "Hi!!", "Hey there", "Good afternoon"])
        return [(casual(hello + pick(["", "", ".", "!"])), "Hello! How can I help you?")]
    if x < 0.7:
        part = pick(["morning", "evening"])
        return [(casual(f"Good {part}" + pick(["", ".", "!", ", breeze.", " to you."])), f"Good {part}! How can I help you?")]
    if x < 0.8:
        return [(casual(pick(["How are you?", "How are you today?", "How do you feel?", "Are you well?", "Hello, how are you?",
                              "Hi, how are you?", "How is it going?"])), "I am well, thank you. How can I help you?")]
    if x < 0.9:
        return [(casual(pick(["Thank you.", "Thanks.", "Thanks!", "Thank you very much.", "Thank you, breeze.", "Many thanks.",
                              "That is nice, thank you."])), "You are welcome.")]
    return [(casual(pick(["Goodbye.", "Bye.", "Bye!", "See you.", "Good night.", "See you tomorrow.", "Goodbye, breeze.",
                          "I have to go."])), "Goodbye!")]


IDENTITY = [
    (["Who are you?", "What are you?", "Tell me who you are.", "Introduce yourself.", "Who is this?", "Who am I talking to?",
      "Tell me about yourself.", "What kind of program are you?"],
     "I am breeze, a small language model."),
    (["What is your name?", "What's your name?", "Your name?", "Do you have a name?", "How are you called?",
      "Tell me your name."], "My name is breeze."),
    (["What can you do?", "Help", "Help me.", "How can you help me?", "What are you good at?", "What do you know?", "Can you help me?",
      "I need help.", "What should I ask you?", "What can I ask?"],
     "I can repeat, count, answer from a text and call a tool."),
    (["Who made you?", "Who wrote you?", "Where do you come from?", "Who trained you?", "How were you made?", "Who built you?"],
     "I was trained for the brise project."),
    (["Are you a person?", "Are you human?", "Are you a human being?", "Are you real?", "Are you alive?", "Are you a robot?",
      "Do you have feelings?", "Am I talking to a person?"],
     "No, I am a small language model."),
    (["How large are you?", "How big are you?", "What is your size?", "How many parameters do you have?",
      "How many weights do you have?"], "I have 16 million parameters."),
    (["Where do you run?", "Where are you running?", "Do you need the internet?", "Are you online?", "Do you run offline?"],
     "I run on this machine, without a network."),
]


def identity():
    questions, answer = pick(IDENTITY)
    return [(casual(pick(questions)), answer)]


def quoted(text):
    return pick(['"%s"', "'%s'"]) % text


def repeat():
    x = rnd.random()
    if x < 0.45:
        text = anything()
        how = pick(["Repeat: {}", "Repeat this: {}", "Repeat after me: {}", "Say: {}", "Say this: {}", "Please repeat: {}",
                    "Repeat the following: {}", "Repeat exactly: {}", "Copy this: {}", "Echo: {}", "Can you repeat this? {}",
                    "Repeat this text: {}", "Repeat what I say: {}", "repeat: {}", "say: {}", "Write: {}", "Repeat\n{}"])
        return [(how.format(text), text)]
    if x < 0.6:
        text = sentence()
        how = pick(["Repeat this sentence: {}", "Repeat the sentence: {}", "Repeat the sentence {}", "Say the sentence: {}",
                    "Please repeat the sentence: {}"])
        return [(how.format(text), text)]
    if x < 0.85:
        text = word()
        how = pick(["Repeat the word {}.", "Repeat the word: {}", "Say {}.", "Say the word {}.", "Say {}", "Repeat {}.",
                    "Repeat the word {}", "Please say {}.", "Can you say {}?", "Repeat the name {}.", "Write the word {}."])
        return [(how.format(pick([text, text, quoted(text)])), text)]
    text = number()
    how = pick(["Repeat the number {}.", "Repeat the number: {}", "Say the number {}.", "Say {}.", "Repeat {}.",
                "Write the number {}.", "Can you repeat the number {}?", "Repeat the number {}"])
    return [(how.format(text), text)]


def count_list(first, last):
    return ", ".join(str(i) for i in range(first, last + 1)) if first <= last else \
        ", ".join(str(i) for i in range(first, last - 1, -1))


def count():
    low = rnd.randint(0, pick([5, 20, 100, 100, 1000]))
    high = low + rnd.randint(1, pick([8, 14, 20]))
    x = rnd.random()
    if x < 0.15:
        high = rnd.randint(2, 25)
        how = pick(["Count to {1}.", "Count up to {1}.", "Count until {1}.", "Can you count to {1}?", "Please count to {1}."])
        low = 1
    elif x < 0.55:
        how = pick(["Count from {0} to {1}.", "Count from {0} to {1}.", "Count up from {0} to {1}.", "Count from {0} up to {1}.", "Count {0} to {1}.",
                    "Can you count from {0} to {1}?", "Please count from {0} to {1}.", "Write the numbers from {0} to {1}.",
                    "List the numbers from {0} to {1}.", "Say the numbers from {0} to {1}."])
    else:
        low, high = high, low
        how = pick(["Count down from {0} to {1}.", "Count from {0} down to {1}.", "Count backwards from {0} to {1}.",
                    "Can you count down from {0} to {1}?", "Count back from {0} to {1}.",
                    "Please count down from {0} to {1}.", "Write the numbers from {0} down to {1}."])
    turns = [(casual(how.format(low, high)), count_list(low, high))]
    if chance(0.12):
        turns.append((casual(pick(["Now backwards.", "And back.", "Now the other way round.", "And now backwards, please."])),
                      count_list(high, low)))
    return turns


# -- answers from a text --------------------------------------------------------------------------
# A fact is (sentence, [(question, answer, the answer in one word)]).


def fact_lives(who, n):
    where = place()
    return (pick([f"{who} lives in {where}."]), [(f"Where does {who} live?", f"{who} lives in {where}.", where),
                                                 (f"Who lives in {where}?", f"{who} lives in {where}.", who)])


def fact_has(who, n):
    many, things = small(), plural(n)
    return (f"{who} has {many} {things}.", [(f"How many {things} does {who} have?", f"{who} has {many} {things}.", many),
                                            (f"Who has {many} {things}?", f"{who} has {many} {things}.", who)])


def fact_colour(who, n):
    colour = pick(COLOURS)
    whose = pick([f"The {n}", f"{who}'s {n}"])
    in_question = whose[0].lower() + whose[1:] if whose.startswith("The ") else whose
    return (f"{whose} is {colour}.", [(f"What colour is {in_question}?", f"{whose} is {colour}.", colour)] * 2)


def fact_job(who, n):
    job = pick(JOBS)
    return (f"{who} is {a(job)}.", [(pick([f"What is {who}?", f"What is {who}'s job?"]), f"{who} is {a(job)}.", job),
                                    (f"Who is {a(job)}?", f"{who} is {a(job)}.", who)])


def fact_spot(who, n):
    spot = pick(SPOTS)
    if chance(0.5):
        return (f"{who} is in the {spot}.", [(f"Where is {who}?", f"{who} is in the {spot}.", spot),
                                             (f"Who is in the {spot}?", f"{who} is in the {spot}.", who)])
    return (f"The {n} is in the {spot}.", [(f"Where is the {n}?", f"The {n} is in the {spot}.", spot),
                                           (f"What is in the {spot}?", f"The {n} is in the {spot}.", n)])


def fact_bought(who, n):
    where, verb, did = place(), *pick([("buy", "bought"), ("sell", "sold"), ("find", "found"), ("lose", "lost"), ("see", "saw")])
    text = f"{who} {did} {a(n)} in {where}."
    return (text, [(f"What did {who} {verb}?", f"{who} {did} {a(n)}.", n), (f"Who {did} {a(n)}?", f"{who} {did} {a(n)}.", who),
                   (f"Where did {who} {verb} {a(n)}?", f"{who} {did} {a(n)} in {where}.", where)])


def fact_old(who, n):
    age = str(rnd.randint(2, 99))
    return (f"{who} is {age} years old.", [(f"How old is {who}?", f"{who} is {age} years old.", age),
                                           (f"Who is {age} years old?", f"{who} is {age} years old.", who)])


def fact_day(who, n):
    day = pick(DAYS + MONTHS)
    prep = "on" if day in DAYS else "in"
    verb = pick(["arrive", "leave", "come", "return"])
    return (f"{who} {verb}s {prep} {day}.", [(f"When does {who} {verb}?", f"{who} {verb}s {prep} {day}.", day),
                                             (f"Who {verb}s {prep} {day}?", f"{who} {verb}s {prep} {day}.", who)])


def fact_costs(who, n):
    price = small()
    coin = pick(["euros", "pounds", "francs", "crowns", "dollars"])
    return (f"The {n} costs {price} {coin}.", [(pick([f"How much is the {n}?", f"What does the {n} cost?", f"How much does the {n} cost?"]),
                                                f"The {n} costs {price} {coin}.", price),
                                               (f"What costs {price} {coin}?", f"The {n} costs {price} {coin}.", n)])


def fact_likes(who, n):
    verb = pick(["like", "need", "want", "paint", "repair", "carry", "love"])
    does = "carries" if verb == "carry" else verb + "s"
    thing = pick(["the " + n, plural(n), "the " + pick(ADJECTIVES) + " " + n])
    return (f"{who} {does} {thing}.", [(f"What does {who} {verb}?", f"{who} {does} {thing}.", n),
                                       (f"Who {does} {thing}?", f"{who} {does} {thing}.", who)])


def fact_gave(who, n):
    whom = name()
    return (f"{who} gave {whom} {a(n)}.", [(f"What did {who} give {whom}?", f"{who} gave {whom} {a(n)}.", n),
                                           (f"Who gave {whom} {a(n)}?", f"{who} gave {whom} {a(n)}.", who)])


def fact_role(who, n):
    job = pick(JOBS)
    return (f"The {job} is {who}.", [(f"Who is the {job}?", f"The {job} is {who}.", who)] * 2)


def fact_there(who, n):
    spot = pick(SPOTS)
    text = f"In the {spot} there is {a(n)}."
    return (text, [(pick([f"What is in the {spot}?", f"What is there in the {spot}?"]), text, n)] * 2)


def fact_when(who, n):
    day, verb = pick(DAYS + MONTHS), pick(["arrive", "leave", "come", "return"])
    when = ("on " if day in DAYS else "in ") + day
    text = f"{when.capitalize().replace(day.lower(), day)} {who} {verb}s."
    return (text, [(f"Who {verb}s {when}?", text, who)] * 2)


FACTS = [fact_lives, fact_has, fact_colour, fact_job, fact_spot, fact_bought, fact_old, fact_day, fact_day, fact_costs, fact_likes, fact_gave,
         fact_role, fact_there, fact_when]


def is_backward(question):
    """Whether what is asked for stands before the words of the question."""
    _, answer, short = question
    return answer.startswith((short + " ", f"The {short} "))


def make_facts(n):
    whos, nouns = several(name, n), several(noun, n)
    kinds = [pick(FACTS) for _ in range(n)]
    if chance(0.5):  # all of one kind: only the name tells them apart
        kinds = [kinds[0]] * n
    facts = [kind(who, thing) for kind, who, thing in zip(kinds, whos, nouns)]
    if n > 1:  # with one sentence, the answer is that
        facts = [(text, [q for q in asked if not is_backward(q)] or asked) for text, asked in facts]
    questions = [q for _, asked in facts for q in {q for q, _, _ in asked}]
    return facts if len(set(questions)) == len(questions) else make_facts(n)


ONE_WORD = ["Answer in one word.", "Use only one word.", "Answer with one word.", "Always answer in one word."]


def ask(text, question):
    how = pick(["Text: {}\nQuestion: {}", "Text: {}\nQuestion: {}", "Text: {} Question: {}", "{}\n\n{}", "{} {}", "{}\n{}",
                "Read this text: {}\n{}", "Answer from the text. {} {}", "Here is a text: {} {}", "Text: {}\n\n{}"])
    return how.format(text, question)


def from_text():
    """Several questions about one text: each is answered by one of its sentences."""
    facts = make_facts(rnd.randint(1, pick([2, 3, 4, 6])))
    text = " ".join(f[0] for f in facts)
    question, answer, _ = pick(pick(facts)[1])
    if chance(0.12):
        turns = [(pick(["Text: ", "", "Here is a text: ", "Read this: "]) + text, "I have read it. What is your question?"),
                 (question, answer)]
    else:
        turns = [(ask(text, question), answer)]
    while chance(0.6) and len(turns) < 6:
        question, answer, _ = pick(pick(facts)[1])
        turns.append((pick(["", "", "And ", "Question: "]) + question, answer))
    return turns


# -- what it cannot do ----------------------------------------------------------------------------

UNKNOWN = "I am sorry, I do not know that. I can answer from a text that you give me."
UNABLE = "I am sorry, I cannot do that. I can repeat, count and answer from a text."


def refuse():
    thing, where, who = noun(), place(), name()
    if chance(0.5):
        m, n = small(), small()
        question = pick([
            f"What is the capital of {where}?", f"Who is the mayor of {where}?", f"How many people are there in {where}?",
            f"What is the weather in {where}?", "What is the weather like today?", "What time is it?", "What day is it today?",
            f"Who wrote the {thing}?", f"Who invented the {thing}?", f"What is {a(thing)}?", f"Why is the {thing} {pick(ADJECTIVES)}?",
            f"What is {m} times {n}?", f"What is {m} + {n}?", f"How much is {m} minus {n}?", f"How far is it to {where}?",
            f"Who is {who}?", f"Where does {who} live?", f"Where is {where}?", f"What is the meaning of {word()}?",
            f"Who was the first king of {where}?", f"What does {word()} mean?", f"How do I repair {a(thing)}?",
            f"How does {a(thing)} work?", "What is the meaning of life?", f"Who won the game in {where}?",
            f"How old is {who}?", f"Is there {a(thing)} on the moon?", f"When was {where} built?", f"Why do {plural(thing)} exist?",
            f"Do you know {who}?", f"Explain the {thing}.", f"Tell me about {where}.", f"Tell me something about {plural(thing)}.",
            f"What colour is the {thing}?", f"Which {thing} is the best?"])
        return [(casual(question), UNKNOWN)]
    request = pick([
        f"Write a poem about the {thing}.", f"Write a story about {who}.", "Tell me a joke.", f"Sing a song about {where}.",
        f"Translate {word()} into {pick(['French', 'German', 'Latin', 'Italian', 'Spanish'])}.", f"Translate this: {sentence()}",
        f"Draw {a(thing)}.", f"Paint a picture of {a(thing)}.", f"Buy me {a(thing)}.", f"Order {a(thing)} for {who}.",
        f"Book a flight to {where}.", f"Call {who}.", f"Send a message to {who}.", f"Send a mail to {who}.",
        f"Open the {thing}.", f"Turn on the {pick(DEVICES)}.", f"Turn off the {pick(DEVICES)}.", "Play some music.",
        f"Write a program that prints {word()}.", f"Summarise this: {sentence()} {sentence()}", "Set an alarm for tomorrow.",
        f"Show me a picture of {where}.", f"Find {a(thing)} in the internet.", f"Search for {word()}.", "Delete all my files.",
        f"Make me {a(thing)}.", f"Bring me {a(thing)}.", f"Write a letter to {who}.", "Tell me a story.", "Write a song.",
        f"Invent a name for my {thing}.", f"Sort these words: {word()} {word()} {word()}", f"Correct this: {salad()}"])
    return [(casual(request), UNABLE)]


# -- earlier turns --------------------------------------------------------------------------------


def small_talk():
    return pick([greet, identity, repeat, count, refuse])()


def remember():
    x = rnd.random()
    if x < 0.4:
        who = name()
        turns = [(pick([f"My name is {who}.", f"Hello, I am {who}.", f"Hi, my name is {who}.", f"I am {who}."]),
                  f"Hello, {who}! How can I help you?")]
        last = (pick(["What is my name?", "What's my name?", "Who am I?", "Who am I?", "Who am I?", "Do you know my name?", "Tell me my name.",
                      "Do you remember my name?"]), f"Your name is {who}.")
    elif x < 0.7:
        kind = pick(["word", "number", "colour", "name", "place"])
        what = {"word": word, "number": number, "colour": lambda: pick(COLOURS), "name": name, "place": place}[kind]()
        turns = [(pick([f"Remember the {kind} {what}.", f"The {kind} is {what}. Remember it.", f"Please remember the {kind} {what}.",
                        f"Remember this {kind}: {what}"]), f"I will remember the {kind} {what}.")]
        last = (pick([f"What is the {kind}?", f"What was the {kind}?", f"Which {kind} did I tell you?", f"Tell me the {kind}.",
                      f"Do you remember the {kind}?", f"Which {kind} was it?"]), f"The {kind} is {what}.")
    else:
        fact = make_facts(1)[0]
        turns = [(fact[0], pick(["I see."]))]
        last = pick(fact[1])[:2]
    if chance(0.5):
        turns += small_talk()[:1]
    return turns + [last]


def before():
    turns = [pick([repeat, small_talk, from_text])()[0]] if chance(0.8) else [(sentence(), "I see.")]
    said, answer = turns[-1]
    if chance(0.6):
        turns.append((pick(["Repeat what I said before.", "What did I say before?", "What did I just say?", "Repeat what I said.",
                            "Repeat my last message.", "What was my last question?", "Repeat what I said before, please."]), said))
    else:
        turns.append((pick(["Again.", "Again, please.", "Say that again.", "Repeat your answer.", "Repeat that.", "What did you say?",
                            "Please say it again.", "Once more."]), answer))
    return turns


def statement():
    return [(sentence(), "I see.")] if chance(0.6) else [(make_facts(1)[0][0], "I see.")]


# -- system prompts -------------------------------------------------------------------------------

NEUTRAL = ["You are a helpful assistant.", "You are breeze.", "Be polite.", "Answer the user's questions.", "You are a small assistant.",
           "Be brief.", "You are a friendly assistant.", "Always answer politely.", "Answer in English.", "You are a helpful program.",
           "Answer briefly and clearly.", "You talk with a user at a terminal."]


def with_system():
    x = rnd.random()
    if x < 0.22:
        who = name()
        system = pick([f"Your name is {who}.", f"You are {who}.", f"You are {who}, a helpful assistant.", f"You are an assistant called {who}."])
        turns = [pick([(pick(IDENTITY[1][0]), f"My name is {who}."),
                       (pick(IDENTITY[0][0]), f"I am {who}, a small language model.")])]
        if chance(0.2):
            turns += small_talk()
    elif x < 0.4:
        system = pick(ONE_WORD)
        facts = make_facts(rnd.randint(1, 4))
        text = " ".join(f[0] for f in facts)
        question, _, short = pick(pick(facts)[1])
        turns = [(ask(text, question), short)]
        while chance(0.6) and len(turns) < 6:
            question, _, short = pick(pick(facts)[1])
            turns.append((question, short))
    elif x < 0.57:
        end = word()
        system = pick([f"End every answer with {end}.", f"End each answer with the word {end}.", f"Put {end} at the end of every answer.",
                       f"Always end with the word {end}."])
        turns = [(q, r + " " + end) for q, r in pick([small_talk, from_text])()]
    elif x < 0.74:
        first = pick([word(), "Sir", "Madam", name()])
        system = pick([f"Begin every answer with {first}:", f"Start each answer with {first}:", f"Begin your answers with {first}:"])
        turns = [(q, first + ": " + r) for q, r in pick([small_talk, from_text])()]
    elif x < 0.9:
        who = name()
        system = pick([f"The user's name is {who}.", f"You talk with {who}.", f"The user is called {who}."])
        turns = [pick([(pick(["What is my name?", "Who am I?", "Do you know my name?"]), f"Your name is {who}."),
                       (pick(["Hello", "Hello!", "Hi", "Hi!", "Good day."]), f"Hello, {who}! How can I help you?")])]
    else:
        only = word()
        system = pick([f"Say only {only}.", f"Answer only {only}.", f"Whatever the user says, answer {only}."])
        turns = [(q, only) for q, _ in small_talk()]
    return [(system + "\n\n" + turns[0][0], turns[0][1])] + turns[1:]


# -- tools ----------------------------------------------------------------------------------------
# A tool is (definition, a function that returns a question and its arguments, what its result is called).


def define(called, about, **parameters):
    kinds = {str: "string", int: "integer"}
    return {"type": "function", "function": {
        "name": called, "description": about,
        "parameters": {"type": "object", "properties": {k: {"type": kinds[t]} for k, t in parameters.items()},
                       "required": list(parameters)}}}


def called_as(alone, *names):
    """The name of a function: one of these, or where it is the only one, one that can only be copied."""
    called = pick(names)
    return called if not alone or chance(0.6) else pick([f"{made_up()}_{called}", f"{called}_{made_up()}", made_up(), f"{made_up()}_{made_up()}"])


def tool_of_place(alone):
    topic = pick(TOPICS) if chance(0.7) else made_up()
    key = pick(["place", "city", "town", "location", "where", "name"])
    called = called_as(alone, f"get_{topic}", topic, f"{topic}_of", f"find_{topic}", f"current_{topic}", f"{topic}_now", f"{topic}_in_{key}")

    def question():
        where = place()
        return pick([f"What is the {topic} in {where}?", f"{topic.capitalize()} in {where}?", f"Tell me the {topic} of {where}.",
                     f"What is the {topic} of {where}?", f"Give me the {topic} in {where}.", f"I need the {topic} for {where}.",
                     f"How is the {topic} in {where}?"]), {key: where}

    about = pick([f"Current {topic} of a {key}", f"The {topic} of a place", f"Get the {topic} in a {key}", f"{topic} of a town"])
    return define(called, about, **{key: str}), question, topic


def tool_of_numbers(alone):
    verb, sign, spoken = pick([("add", "+", "plus"), ("subtract", "-", "minus"), ("multiply", "*", "times"), ("divide", "/", "divided by")])
    k1, k2 = pick([("a", "b"), ("x", "y"), ("first", "second"), ("left", "right")])
    called = called_as(alone, verb, f"{verb}_numbers", f"do_{verb}", "calc_" + verb)

    def question():
        m, n = rnd.randint(0, 999), rnd.randint(0, 999)
        return pick([f"What is {m} {spoken} {n}?", f"{m} {sign} {n}?", f"What is {m} {sign} {n}?", f"How much is {m} {spoken} {n}?"]), \
            {k1: m, k2: n}

    return define(called, f"{verb.capitalize()} two numbers", **{k1: int, k2: int}), question, "result"


def tool_of_device(alone):
    state = pick(["on", "off"])
    key = pick(["room", "where", "place"])
    device = pick(DEVICES)
    called = called_as(alone, f"turn_{state}_{device}", f"{device}_{state}", f"switch_{device}_{state}")

    def question():
        room = pick(SPOTS) if chance(0.7) else made_up()
        return pick([f"Turn {state} the {device} in the {room}.", f"Switch {state} the {device} in the {room}.",
                     f"{device.capitalize()} {state} in the {room}."]), {key: room}

    return define(called, f"Turn {state} the {device} of a room", **{key: str}), question, "state"


def tool_of_timer(alone):
    thing, unit = pick(["timer", "alarm", "clock", "reminder"]), pick(["minutes", "seconds", "hours"])
    called = called_as(alone, f"set_{thing}", f"start_{thing}", f"{thing}_{unit}")

    def question():
        n = rnd.randint(1, 120)
        return pick([f"Set the {thing} to {n} {unit}.", f"Set {a(thing)} for {n} {unit}.", f"Start {a(thing)} of {n} {unit}."]), {unit: n}

    return define(called, f"Set the {thing}", **{unit: int}), question, "state"


def tool_of_thing(alone):
    verb = pick(["find", "play", "open", "show", "read", "search", "print", "delete", "copy", "start"])
    thing = pick(["song", "book", "film", "page", "file", "recipe", "letter", "map", "photo", "word"]) if chance(0.7) else made_up()
    key = pick(["name", "title", thing, "text", "what"])

    def question():
        title = pick([lambda: f"{pick(ADJECTIVES).capitalize()} {noun().capitalize()}", word, name, made_up,
                      lambda: " ".join(made_up().capitalize() for _ in range(rnd.randint(1, 3)))])()
        return pick([f"{verb.capitalize()} the {thing} {title}.", f"Please {verb} the {thing} {title}.",
                     f"Can you {verb} the {thing} {title}?"]), {key: title}

    return define(called_as(alone, f"{verb}_{thing}", f"{verb}_the_{thing}"), f"{verb.capitalize()} a {thing}", **{key: str}), question, "state"


def tool_of_message(alone):
    thing = pick(["message", "mail", "letter", "note"])
    k1, k2 = pick([("to", "text"), ("name", "message"), ("person", "content")])

    def question():
        who, text = name(), pick([sentence, salad, word])()
        return pick([f"Send a {thing} to {who}: {text}", f"Send {who} this {thing}: {text}", f"Write a {thing} to {who}: {text}"]), \
            {k1: who, k2: text}

    return define(called_as(alone, f"send_{thing}", f"write_{thing}"), f"Send a {thing} to a person", **{k1: str, k2: str}), question, "state"


def tool_of_order(alone):
    verb = pick(["order", "buy", "sell", "count", "reserve", "pack"])
    k1, k2 = pick([("item", "count"), ("what", "number"), ("product", "amount")])

    def question():
        n, thing = rnd.randint(2, 60), plural(noun())
        return pick([f"{verb.capitalize()} {n} {thing}.", f"Please {verb} {n} {thing}.", f"I want to {verb} {n} {thing}."]), {k1: thing, k2: n}

    return define(called_as(alone, f"{verb}_items", verb, f"{verb}_things"), f"{verb.capitalize()} things", **{k1: str, k2: int}), question, "state"


TOOLS = [tool_of_place, tool_of_place, tool_of_numbers, tool_of_device, tool_of_timer, tool_of_thing, tool_of_message, tool_of_order, tool_of_order,
         tool_of_thing, tool_of_thing]


def result_of(used, called):
    """What a tool answers, and what is said of it."""
    value = pick([lambda: rnd.randint(0, 999), lambda: rnd.randint(0, 99), word, lambda: "on", lambda: "done", lambda: pick(ADJECTIVES)])()
    content, said = pick([(value, f"The {used[2]} is {value}."), ({used[2]: value}, f"The {used[2]} is {value}."),
                          ({"result": value}, f"The result is {value}.")])
    text = json.dumps([{"name": called, "content": content}], ensure_ascii=False)
    return f"[TOOL_RESULTS] {text}[/TOOL_RESULTS]", said


def call_of(used):
    """A question and the call that answers it."""
    question, arguments = used[1]()
    call = {"name": used[0]["function"]["name"], "arguments": arguments}
    return casual(question), "[TOOL_CALLS] " + json.dumps([call], ensure_ascii=False)


def with_tools():
    """A conversation as pieces: ("tools" | "user" | "result" | "answer", text)."""
    makers = rnd.sample(TOOLS, pick([1, 1, 1, 1, 2]))
    tools = [make(len(makers) == 1) for make in makers]
    used = pick(tools)
    offered = f"[AVAILABLE_TOOLS] {json.dumps([t[0] for t in tools])}[/AVAILABLE_TOOLS]"
    in_system = chance(0.65)
    earlier, after = [], []
    if chance(0.15):
        earlier = [p for q, r in small_talk() for p in (("user", q), ("answer", r))]
    if chance(0.2):  # nothing to call
        question, answer = pick([greet, identity, repeat, count])()[0]
    else:
        question, answer = call_of(used)
        if chance(0.4):
            result, said = result_of(used, used[0]["function"]["name"])
            after = [("user" if in_system else "result", result), ("answer", said)]
    while in_system and chance(0.5) and len(after) < 6:
        after += zip(("user", "answer"), call_of(pick(tools)))
    parts = earlier + [("user", question), ("answer", answer)] + after
    if not in_system:
        return earlier + [("tools", offered)] + parts[len(earlier):]
    system = pick(NEUTRAL) + "\n\n" + offered if chance(0.2) else offered
    return [("user", system + "\n\n" + parts[0][1])] + parts[1:]


# -- all of it ------------------------------------------------------------------------------------

# How often each is begun with: what has to be computed more often than what has to be known.
KINDS = [(greet, 3), (identity, 3), (repeat, 20), (count, 10), (from_text, 44), (refuse, 5),
         (remember, 22), (before, 22), (statement, 2), (with_system, 12)]


def conversation():
    if chance(0.36):
        return with_tools()
    kind = rnd.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]
    turns = kind()
    while chance(0.25):
        turns = pick([small_talk, kind])() + turns if kind is not with_system else turns + small_talk()
    if kind is not with_system and chance(0.12):
        turns[0] = (pick(NEUTRAL) + "\n\n" + turns[0][0], turns[0][1])
    return [p for q, r in turns for p in (("user", q), ("answer", r))]


def held_out():
    """What users say in the test's questions, as one tuple each: no conversation has these messages. Of greetings and
    the like there is nothing to hold out."""
    with open(os.path.join(HERE, "questions.jsonl"), encoding="utf-8") as file:
        questions = [json.loads(line) for line in file]
    return {tuple(m["content"] for m in q["messages"] if m["role"] == "user") for q in questions
            if q["kind"] not in ("greet", "identity", "refuse")}


def is_held(said, held):
    return tuple(said) in held or any((text,) in held for text in said)


def tokenize(brise, lines, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "texts")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        done = subprocess.run([brise, "tokenize", os.path.join(BREEZE, "tokenizer.model"), "--jsonl", "-f", path, *options],
                              check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def encode(brise, texts):
    return tokenize(brise, texts)


LEARN = 1 << 15


def learn(ids):
    return [i | LEARN for i in ids]


def copies(begin, end):
    """Random tokens to be repeated, whatever they spell."""
    words = [BOS]
    for _ in range(rnd.randint(1, 3)):
        tokens = [rnd.randrange(FIRST_PIECE, VOCAB) for _ in range(rnd.randint(2, 40))]
        words += begin + tokens + end + learn(tokens + [EOS])
    return words


def piece_of_writing(written):
    at = rnd.randrange(len(written) - 200)
    return [BOS] + learn(written[at:at + 200])


def main():
    brise, tokens, seed, out = sys.argv[1], int(float(sys.argv[2])), int(sys.argv[3]), sys.argv[4]
    rnd.seed(seed)
    pieces = tokenize(brise, [[i] for i in range(FIRST_PIECE, VOCAB)], "--decode")
    PIECES.extend(sorted({p.strip() for p in pieces if re.fullmatch(r" ?[a-z]{1,6}", p)}))
    held = held_out()

    def next_one():
        while True:
            parts = conversation()
            if not is_held([text for kind, text in parts if kind == "user"], held):
                return parts

    if "--print" in sys.argv:
        for _ in range(int(sys.argv[sys.argv.index("--print") + 1])):
            print(json.dumps(next_one(), ensure_ascii=False))
        return
    written, begin, end = encode(brise, [WRITING, "[INST] Repeat:", "[/INST]"])
    used = n = 0
    with open(out, "wb") as file:

        def write(words):
            array.array("H", [len(words)] + words).tofile(file)
            return len(words)

        while used < tokens:
            batch = [next_one() for _ in range(10000)]
            texts = [f"[INST] {text} [/INST]" if kind == "user" else text for parts in batch for kind, text in parts]
            ids = iter(encode(brise, texts))
            for parts in batch:
                words = [BOS]
                for kind, _ in parts:
                    words += learn(next(ids) + [EOS]) if kind == "answer" else next(ids)
                if len(words) > LONGEST:
                    continue
                if chance(WRITTEN_PIECES):
                    used += write(piece_of_writing(written))
                if chance(COPIES):
                    used += write(copies(begin, end))
                used += write(words)
                n += 1
    print(f"{n} conversations, {used} tokens")


if __name__ == "__main__":
    main()
