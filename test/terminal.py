"""Conversations at real terminals: tmux, a serial line, pipes.

    python3 test/terminal.py BUILD_DIR

The programs are BUILD_DIR/test/terminal_echo and, with a model that says anything, BUILD_DIR/brise chat. Nothing here waits for a time: a statement holds as soon
as the screen shows it, and fails if that does not happen within a minute.
"""

import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

program = os.path.abspath(os.path.join(sys.argv[1], "test/terminal_echo"))
chosen = sys.argv[2:]
passed = failed = 0
DEADLINE = 60
# A shell ignores it for what it runs in the background, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def holds(statement, value, details=""):
    global passed, failed
    if value:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {statement}\n{details}", file=sys.stderr)


class Tmux:
    """A terminal of its own with one program in it."""

    def __init__(self, command, columns=60, rows=16, **environment):
        self.folder = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.folder.name, "tmux")
        clean = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR", "COLUMNS", "LINES")}
        self.environment = {**clean, "LC_ALL": "C.UTF-8", "HISTFILE": "/dev/null", **environment}
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), command)
        self.tmux("set-option", "-g", "window-size", "manual")
        self.tmux("set-option", "-g", "remain-on-exit", "on")

    def tmux(self, *arguments, **options):
        return subprocess.run(["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *arguments], env=self.environment,
                              check=True, capture_output=True, text=True, timeout=DEADLINE, **options).stdout

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.tmux("kill-server")
        self.folder.cleanup()

    def text(self, *options):
        """The screen without empty rows at its end."""
        return self.tmux("capture-pane", "-p", *options).rstrip("\n")

    def value(self, name):
        return self.tmux("display-message", "-p", "#{" + name + "}").strip()

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def paste(self, text):
        self.tmux("load-buffer", "-", input=text)
        self.tmux("paste-buffer", "-p")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def shows(self, statement, expected, *options):
        """Waits until the rows at the end of the screen are these; a pattern is searched."""
        end = time.monotonic() + DEADLINE
        while True:
            screen = self.text(*options)
            shown = "\n".join(row.rstrip() for row in screen.split("\n"))
            done = expected.search(shown) if isinstance(expected, re.Pattern) else ("\n" + shown).endswith("\n" + expected)
            if done or time.monotonic() > end:
                holds(statement, done, f"expected:\n{expected}\nshown:\n{screen}")
                return shown
            time.sleep(0.02)

    def cursor_is(self, statement, column):
        end = time.monotonic() + DEADLINE
        while self.value("cursor_x") != str(column) and time.monotonic() < end:
            time.sleep(0.02)
        holds(statement, self.value("cursor_x") == str(column), f"column {self.value('cursor_x')}, expected {column}")


# ---- tmux ---------------------------------------------------------------------------------------


def test_editing():
    with Tmux(program) as t:
        t.shows("a prompt appears", ">")
        t.type("hello")
        t.keys("Left", "Left")
        t.type("x")
        t.shows("text is inserted", "> helxlo")
        t.cursor_is("the cursor stands behind it", 6)
        t.keys("Home", "Delete", "End", "BSpace", "C-a")
        t.shows("keys of xterm are understood", "> elxl")
        t.keys("C-k", "C-y", "C-y", "M-b", "C-Right", "C-w", "C-y")
        t.shows("keys of readline are understood", "> elxlelxl")
        t.keys("Enter")
        t.shows("the message is answered", "> elxlelxl\n[elxlelxl]\nelxlelxl\n>")
        t.type("one")
        t.keys("M-Enter")
        t.type("two\\")
        t.keys("Enter")
        t.type("three")
        t.keys("C-j")
        t.type("four")
        t.shows("a message has several lines", "> one\n  two\n  three\n  four")
        t.keys("Up", "Up", "C-e")
        t.type("!")
        t.shows("arrows move between them", "> one\n  two!\n  three\n  four")
        t.keys("Enter")
        t.shows("all of it is one message", re.compile(r"\[one\\x0atwo!\\x0athree\\x0afour\]"))
        t.keys("F5", "S-F3", "M-[", "PPage", "C-]")
        t.type("z")
        t.shows("unknown keys leave nothing", re.compile(r"> z$"))
        t.keys("C-l")
        t.shows("ctrl-L clears the screen", re.compile(r"^> z$"))
        t.keys("C-d", "C-u", "C-d")
        t.shows("ctrl-D ends", re.compile(r"\(ended\)"))


def test_paste():
    with Tmux(program, 60, 12) as t:
        t.shows("a prompt appears", ">")
        t.type("a ")
        t.paste("first\nsecond\x03\x1b[A\x04\tx\nthird\n")
        t.type("end")
        t.shows("a paste is text", "> a first\n  second^C^[[A^D    x\n  third\n  end")
        t.keys("Enter")
        t.shows("it is one message", re.compile(r"\[a first\\x0asecond\\x03\\x1b\[A\\x04\\x09x\\x0athird\\x0aend\]"), "-J")
        t.keys("C-l")
        t.paste("".join(f"line {i} of many\n" for i in range(3000)))
        t.shows("of a long one the end is shown", re.compile(r"line 2998 of many\n  line 2999 of many$"))
        t.keys("C-c")
        t.shows("ctrl-C takes it back", "(cancelled)\n>")
    with Tmux(program + " --pause 20", 60, 12) as t:
        t.shows("a prompt appears", ">")
        t.type("/words 40")
        t.keys("Enter")
        t.shows("an answer comes", re.compile("word2\\b"))
        t.paste("one\ntwo")
        t.shows("what is pasted meanwhile is one message, too", re.compile(r"word40\n> one\n  two$"))


def test_wide():
    with Tmux(program, 40, 12) as t:
        t.shows("a prompt appears", ">")
        t.type("\u4e2d\u6587e\u0301x")
        t.shows("wide and combining characters are shown", "> \u4e2d\u6587e\u0301x")
        t.cursor_is("they take their columns", 8)
        t.keys("Left", "Left", "BSpace")
        t.shows("a wide character is one", "> \u4e2de\u0301x")
        t.cursor_is("the cursor follows", 4)
        t.keys("C-u", "C-k")
        t.type("\U0001f469\u200d\U0001f469\u200d\U0001f467y\u2764\ufe0fz")
        t.cursor_is("emoji sequences take two columns each", 2 + 2 + 1 + 2 + 1)
        t.keys("Left", "BSpace", "Left", "BSpace")
        t.shows("each is one character", "> yz")
        t.keys("C-a", "C-k")
        t.type("\u6587" * 20)
        t.shows("a row ends before a wide character that does not fit", "> " + "\u6587" * 19 + "\n  \u6587")
        t.keys("Enter")
        t.shows("answers, too", "\u6587" * 19 + "\n\u6587\n>")


def test_resize():
    text = " ".join(f"word{i}" for i in range(14))
    with Tmux(program, 60, 20) as t:
        t.shows("a prompt appears", ">")
        # tmux moves rows out at the top for those that wrapping adds, so some stand above.
        for i in range(4):
            t.type("above")
            t.keys("Enter")
            t.shows("text stands above", "> above\n[above]\nabove\n" * (i + 1) + ">")
        t.type(text)
        t.shows("a text is wrapped", f"> {text[:58]}\n  {text[58:]}")
        for columns in (30, 22, 45, 90, 60):
            t.resize(columns, 20)
            rows = [text[i:i + columns - 2].rstrip() for i in range(0, len(text), columns - 2)]
            t.shows(f"it is wrapped again at {columns}", "above\n> " + "\n  ".join(rows))
    with Tmux(program + " --status --columns 34", 60, 16) as t:
        t.shows("a prompt appears", ">")
        t.type("/words 150")
        t.keys("Enter")
        t.shows("an answer comes", re.compile("word9\\b"))
        t.resize(34, 16)
        shown = t.shows("it ends", re.compile("word150\n>"))
        rows = [row for row in shown.split("\n") if row.strip().startswith("word1")]
        holds("it is wrapped to the new width", rows and all(len(row) < 34 for row in rows), shown)
        holds("and nowhere else", sum(len(row) > 24 for row in rows[:-1]) >= len(rows) - 1, shown)
        t.shows("the status is below, as far as it fits", re.compile("150\n>\n150 words of an answer that is be$"))
    with Tmux(program + " --status --columns 20", 60, 16) as t:
        t.shows("a prompt appears", ">")
        t.type("/words 10")
        t.keys("Enter")
        t.shows("an answer comes", re.compile("word9\\b.*\n9 words of an answer that is being written, of its text$"))
        t.resize(20, 16)
        t.shows("nothing is left of a wider status", re.compile("word10\n>\n10 words of an answ$"))


def test_interruptions():
    with Tmux(program + " --pause 20", 60, 16) as t:
        t.shows("a prompt appears", ">")
        t.type("half a message")
        t.shows("it is there", "> half a message")
        t.keys("C-c")
        t.shows("ctrl-C takes the message back", "(cancelled)\n>")
        t.keys("C-y")
        t.shows("and keeps it", "> half a message")
        t.keys("C-u")
        t.type("/words 100000")
        t.keys("Enter")
        t.shows("an answer comes", re.compile(r"word\d*9\b"))
        t.type("typed ahead")
        t.keys("C-c")
        t.shows("ctrl-C ends the answer", re.compile(r"\(stopped\)\n>"))
        t.type("/words 3")
        t.keys("Enter")
        t.shows("the next is not concerned", re.compile(r"word1 word2 word3\n>$"))


def test_stops():
    with Tmux("/bin/bash --norc --noprofile -i", 60, 20) as t:
        t.shows("a shell", re.compile("[$#]"))
        pid = os.path.join(t.folder.name, "pid")
        t.type(f"sh -c 'echo $$ >{pid}; exec {program}'")
        t.keys("Enter")
        t.shows("a prompt appears", re.compile(r"\n>$"))
        t.type("half")
        t.shows("a message is begun", re.compile(r"\n> half$"))
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            os.kill(int(open(pid).read()), number)
            t.shows(f"{number.name} stops", re.compile(r"Stopped.*\n.*[$#]$", re.S))
            t.keys("C-l")
            t.type("fg")
            t.keys("Enter")
            t.shows("editing goes on", re.compile(r"\n> half$"))
        t.type(" and more")
        t.keys("C-a")
        t.type("x")
        t.shows("as it was", re.compile(r"\n> xhalf and more$"))


def test_jobs():
    settings = r"stty -a | tr ' ' '\n' | tr -d ';' | grep -x -e -*icanon -e -*echo -e -*isig | tr '\n' ' '"
    with Tmux("/bin/bash --norc --noprofile -i", 60, 20) as t:
        t.shows("a shell", re.compile("[$#]"))
        t.type(program + " --pause 20")
        t.keys("Enter")
        t.shows("a prompt appears", re.compile(r"\n>$"))
        t.type("half")
        t.keys("C-z")
        t.shows("ctrl-Z stops", re.compile(r"Stopped.*\n.*[$#]$", re.S))
        t.type(settings)
        t.keys("Enter")
        t.shows("the terminal is as before", re.compile(r"^isig icanon echo ", re.M))
        t.keys("C-l")
        t.type("fg")
        t.keys("Enter")
        t.shows("editing goes on", re.compile(r"\n> half$"))
        t.type(" and more")
        t.keys("Enter")
        t.shows("with the text", re.compile(r"\[half and more\]\nhalf and more\n>$"))
        t.type("/words 100000")
        t.keys("Enter")
        t.shows("an answer comes", re.compile(r"word\d*9\b"))
        t.keys("C-z")
        t.shows("ctrl-Z stops it", re.compile(r"Stopped.*\n.*[$#]$", re.S))
        t.keys("C-l")
        t.type(settings)
        t.keys("Enter")
        t.shows("the terminal is as before", re.compile(r"^isig icanon echo ", re.M))
        t.type("kill -TERM %1; kill -CONT %1; wait %1; echo status $?")
        t.keys("Enter")
        t.shows("a signal ends it", re.compile(r"status 143"))
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            t.keys("C-l")
            pid = os.path.join(t.folder.name, f"pid{number}")
            t.type(f"sh -c 'echo $$ >{pid}; exec {program}'; echo status $?")
            t.keys("Enter")
            t.shows("a prompt appears", re.compile(r"\n>$"))
            os.kill(int(open(pid).read()), number)
            t.shows(f"{number.name} ends editing", re.compile(rf"status {128 + number}\b"))
            t.keys("C-l")
            t.type(settings)
            t.keys("Enter")
            t.shows("the terminal is as before", re.compile(r"^isig icanon echo ", re.M))


def test_history():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "history")
        with Tmux(f"{program} --history {path}", 60, 16) as t:
            t.shows("a prompt appears", ">")
            for text in ("about rivers", "about hills", "two\\"):
                t.type(text)
                t.keys("Enter")
            t.type("lines")
            t.keys("Enter", "C-d")
            t.shows("it ends", re.compile(r"\(ended\)"))
        holds("the file is private", os.stat(path).st_mode & 0o777 == 0o600)
        holds("the file is text", open(path).read() == "about rivers\nabout hills\ntwo\\nlines\n", open(path).read())
        with Tmux(f"{program} --history {path}", 60, 16) as t:
            t.shows("a prompt appears", ">")
            t.keys("Up")
            t.shows("the last message comes back, with its lines", "> two\n  lines")
            t.keys("Up", "Up")
            t.shows("and the one before", "> about hills")
            t.keys("C-r")
            t.type("riv")
            t.shows("it is searched", "search 'riv': about rivers")
            t.keys("Right")
            t.type("!")
            t.shows("and taken", "> about rivers!")
            t.keys("Enter")
            t.shows("it is sent", re.compile(r"\[about rivers!\]"))


def test_completion():
    with Tmux(program, 60, 16) as t:
        t.shows("a prompt appears", ">")
        t.type("/w\t5")
        t.shows("tab completes", "> /words 5")
        t.keys("C-u")
        t.type("/\t\t")
        t.shows("tab lists", "> /\n/say    /type   /words  /code   /drive")
        t.type("type given text")
        t.shows("the list goes away", re.compile("> /type given text$"))
        t.keys("Enter")
        t.shows("a message can begin with text", "> given text")


def test_answers():
    with Tmux(program, 40, 16) as t:
        t.shows("a prompt appears", ">")
        t.type("/words 14")
        t.keys("Enter")
        t.shows("words are wrapped", " word1 word2 word3 word4 word5 word6\n word7 word8 word9 word10 word11 word12\n word13 word14\n>")
        t.type("/code")
        t.keys("Enter")
        t.shows("code is not wrapped", re.compile(r"```\nfor \(i = 0; i < n; i\+\+\) a\[i\] = b\[i\] \+ c\[i\] \* d\[i\] - e\[i\] / f\[i\] \+ g\[i\];\n```"), "-J")
        t.type("/drive")
        t.keys("Enter")
        t.shows("controls are shown", re.compile(r"\^\[\[2J\^\[\]0;title\^G<9B>2J<U\+202E>over\n>"))
        holds("and not obeyed", "title" not in t.value("pane_title"))
        t.shows("what was written before is there", re.compile("g\\[i\\];"))


# ---- without tmux -------------------------------------------------------------------------------


class Line:
    """A pseudo terminal, whose bytes are seen."""

    def __init__(self, terminal, output=None, command=(program, "--status"), **environment):
        self.master, slave = pty.openpty()
        modes = termios.tcgetattr(slave)
        modes[4] = modes[5] = termios.B115200
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(command, stdin=slave, stdout=output or slave, stderr=slave, preexec_fn=lambda: (os.setsid(), __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0)),
                                        env={**clean, "TERM": terminal, **environment})
        os.close(slave)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        if self.process.stdout:
            self.process.stdout.close()

    def type(self, text):
        os.write(self.master, text)

    def shows(self, statement, expected):
        """Waits until the bytes, from where the last statement left off, hold these."""
        end = time.monotonic() + DEADLINE
        while expected not in self.seen and time.monotonic() < end:
            if select.select([self.master], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.master, 4096)
                except OSError:
                    break
        found = expected in self.seen
        holds(statement, found, f"expected {expected}, seen {self.seen}")
        before, self.seen = self.seen.partition(expected)[::2]
        return before


def test_serial_line():
    with Line("dumb") as line:
        seen = line.shows("a prompt appears", b"> ")
        line.type(b"helxx\x7f\x7flo\r")
        seen += line.shows("the line discipline edits", b"[hello]\r\r\nhello\r\r\n> ")
        line.type(b"one\\\rtwo\r")
        seen += line.shows("a backslash asks for another line", b"[one\\x0atwo]\r\r\n")
        seen += line.shows("that is one message", b"> ")
        line.type(b"half\x03")
        seen += line.shows("ctrl-C takes a line back", b"(cancelled)\r\r\n> ")
        line.type(b"/words 20\r")
        seen += line.shows("answers are wrapped", b" word12 wor\b\b\b   \r\r\n word13")
        seen += line.shows("to the end", b"word20\r\r\n> ")
        line.type(b"\x04")
        seen += line.shows("ctrl-D ends", b"(ended)")
        holds("no escape sequence is sent", b"\x1b" not in seen, seen)
        holds("the status is 0", line.process.wait(DEADLINE) == 0)


def test_slow_terminal():
    with Line("vt100", NO_COLOR="1") as line:
        line.shows("a prompt appears", b"> ")
        line.type(b"a" * 40)
        line.shows("text appears", b"a" * 40)
        for i in range(20):
            line.type(b"b")
            before = line.shows("a key is one byte", b"b")
            holds("and no more", before == b"", before)
        line.type(b"\x1b[D")
        line.shows("a sequence is a key", b"\b")
        line.type(b"\r")
        seen = line.shows("the answer comes", b"[" + b"a" * 40 + b"b" * 20 + b"]")
        seen += line.shows("all of it", b"> ")
        holds("no color is sent", re.search(rb"\x1b\[[0-9;]*m", seen) is None, seen)
        line.type(b"\x04")
        line.shows("it ends", b"\x1b[?2004l")


def test_output_elsewhere():
    """Editing goes to the terminal, answers to a pipe."""
    with Line("xterm", subprocess.PIPE) as line:
        line.shows("a prompt appears on standard error", b"> ")
        line.type(b"hello\r")
        line.shows("and another", b"> ")
        line.type(b"\x04")
        line.shows("it ends", b"(ended)")
        answer = line.process.stdout.read()
        holds("answers are plain", answer == b"[hello]\nhello\n", answer)


def test_pipes():
    run = subprocess.run([program, "--status"], input=b"one\r\ntwo\\\n/drive\n\xff\nlast", capture_output=True, timeout=DEADLINE)
    expected = b"[one]\none\n[two\\x5c]\ntwo\\\n\x1b[2J\x1b]0;title\x07\xc2\x9b2J\xe2\x80\xaeover\r\n[\\xff]\n\xff\n[last]\nlast\n"
    holds("every line is a message", run.stdout == expected, run.stdout)
    holds("nothing else is said", run.stderr == b"" and run.returncode == 0, run.stderr)
    run = subprocess.run([program], input=b"x" * (5 << 20) + b"\nnext\n", capture_output=True, timeout=DEADLINE)
    holds("a line that is too long is noted", b"is longer than" in run.stderr, run.stderr)
    holds("and the next is read", run.stdout.endswith(b"[next]\nnext\n"))
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    holds("answers come at once", process.stdout.readline() == b"[hello]\n")
    process.send_signal(signal.SIGTERM)
    holds("a signal ends it", process.wait(DEADLINE) == 128 + signal.SIGTERM)
    process.stdin.close()
    process.stdout.close()


# ---- brise chat ---------------------------------------------------------------------------------

brise = os.path.abspath(os.path.join(sys.argv[1], "brise"))


class Home:
    """A model, in the format v1 or with the control tokens of another, and folders for what is kept."""

    def __init__(self, pieces=None):
        self.pieces = [f"{piece}={name}" for piece, name in (pieces or {}).items()]

    def convert(self):
        source, options = "test/models/breeze", ["--chat-format", "v1"]
        if self.pieces:
            rename, source, options = os.path.join(self.folder.name, "rename"), os.path.join(self.folder.name, "checkpoint"), []
            subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "test/rename_pieces.c", "-o", rename], check=True, timeout=DEADLINE)
            shutil.copytree("test/models/breeze", source)
            with open("test/models/breeze/tokenizer.model", "rb") as old, open(os.path.join(source, "tokenizer.model"), "wb") as new:
                subprocess.run([rename, *self.pieces], check=True, stdin=old, stdout=new, timeout=DEADLINE)
        subprocess.run([brise, "convert", source, self.model, "--effort", "fast", *options], check=True, capture_output=True, timeout=DEADLINE)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.model = os.path.join(self.folder.name, "model.brise")
        self.kept = os.path.join(self.folder.name, "brise", "conversations")
        self.environment = {"HOME": self.folder.name, "XDG_DATA_HOME": self.folder.name, "XDG_CACHE_HOME": self.folder.name}
        self.convert()
        return self

    def __exit__(self, *unused):
        self.folder.cleanup()

    def words(self, *options):
        return [brise, "chat", self.model, "--greedy", *options]

    def command(self, *options):
        return shlex.join(self.words(*options))

    def read(self, name):
        with open(os.path.join(self.kept, name + ".jsonl")) as file:
            return file.read()


def test_chat():
    with Home() as home:
        with Tmux(f'trap : INT; {home.command("-n", "12")}; echo "ended with $?"', 70, 20, **home.environment) as t:
            t.shows("the model and its format are named", re.compile(r"^model.brise, format v1\..*\n>\n0 of 256 positions$", re.S))
            t.type("Hello there")
            t.keys("Enter")
            t.shows("a message is answered, with the status below", re.compile(r"\n> Hello there\n/lib.*\n\(stopped after 12 tokens\)\n>\n\d+ of 256 positions, [\d.]+ tokens/s, hello-there$"))
            t.type("/edit")
            t.keys("Enter")
            t.shows("the last message can be edited", re.compile(r"\n> Hello there\n\d+ of"))
            t.keys("C-c")
            t.type("/stats")
            t.keys("Enter")
            t.shows("given up, it stays", re.compile(r"\n\d+ of 256 positions, 2 messages; "))
            t.type("/ed\t")
            t.keys("Enter")
            t.shows("a message can be edited again", re.compile(r"\n> Hello there\n"))
            t.type(", all")
            t.keys("Enter")
            t.shows("and is sent", re.compile(r"\n> Hello there, all\n/lib.*\n\(stopped", re.S))
            t.type("/system Be kind.")
            t.keys("Enter")
            t.type("/system")
            t.keys("Enter")
            t.shows("there is a system message", re.compile(r"\n> /system\nBe kind\.\n>"))
            t.keys("C-l")
            t.type("/stats off")
            t.keys("Enter")
            t.shows("the status line can be turned off", re.compile(r"^> /stats off\n>$"))
            t.type("/stats on")
            t.keys("Enter")
            t.shows("and on", re.compile(r"\n>\n[3-9]\d of 256 positions, [\d.]+ tokens/s, hello-there$"))
            t.type("/undo")
            t.keys("Enter")
            t.shows("what is taken back takes no room", re.compile(r"\n>\n1\d of 256 positions, [\d.]+ tokens/s, hello-there$"))
            t.keys("Up")
            t.type("\b" * 10 + "Hello there, all")
            t.keys("Enter")
            t.shows("what was taken back can be sent again", re.compile(r"\n> Hello there, all\n/lib"))
            t.keys("C-d")
            t.shows("ctrl-D behind an answer ends the program", re.compile(r"\nended with 0\b"))
        holds("the conversation is that of the message that was edited", home.read("hello-there").count("\n") == 4 and '"Be kind."}\n{"role":"user","content":"Hello there, all"' in home.read("hello-there"), home.read("hello-there"))
        holds("what was typed is there for the next time", "Hello there, all\n" in open(os.path.join(home.folder.name, "brise", "history")).read())
        with Tmux(home.command("-n", "12", "--resume", "--no-status"), 70, 20, **home.environment) as t:
            t.shows("the last conversation is opened", re.compile(r"\nhello-there, 3 messages\n> Hello there, all\n/lib[^\n]*\n>$", re.S))
            t.type("/stats on")
            t.keys("Enter")
            t.shows("it is as full as it was", re.compile(r"\n>\n\d\d of 256 positions, hello-there$"))
            t.type("/stats off")
            t.keys("Enter")
            t.keys("C-l")
            t.type("/lo\th\t")
            t.keys("Enter")
            t.shows("names are completed", re.compile(r"> /load hello-there\nhello-there, 3 messages\n> Hello there, all\n/lib[^\n]*\n>$"))
            t.keys("Up")
            t.shows("earlier messages come back", re.compile(r"> /load hello-there$"))


def test_chat_interruptions():
    with Home() as home:
        document = os.path.join(home.folder.name, "document")
        with open(document, "w") as file:
            file.write("It was a long text about files and folders.\n" * 100000)
        # tmux does not always learn what a program has ended with, a shell does.
        with Tmux(f'trap : INT; {home.command("--ignore-eos")}; echo "ended with $?"', 60, 20, **home.environment) as t:
            t.shows("a prompt appears", re.compile(r"\n>\n"))
            t.type("Hello")
            t.keys("Enter")
            t.shows("an answer comes", re.compile(r"lib/lib.*\n256 of 256 positions, [\d.]+ tokens/s$", re.S))
            t.resize(41, 18)
            t.type("typed ahead")
            t.keys("C-c")
            t.shows("ctrl-C ends the answer", re.compile(r"\n\(stopped\)\n>"))
            holds("which is kept", home.read("hello").count("\n") == 3 and "/lib" in home.read("hello"), home.read("hello")[:300])
            t.type("/stats")
            t.keys("Enter")
            t.shows("the program goes on", re.compile(r"2\s+messages; keys"))
            t.type("half")
            t.shows("a message is begun", re.compile(r"\n> half\n"))
            t.keys("C-c")
            t.type(f"/fi\t{document[:-3]}\t")
            t.keys("Enter")
            t.shows("ctrl-C takes back what is typed", re.compile(r"4399999 bytes go with the next message\n>"))
            t.type("What is it about?")
            t.keys("Enter")
            t.shows("a long prompt shows its progress", re.compile(r"\nprompt: [1-9][0-9]* of \d+"))
            t.keys("C-c")
            t.shows("ctrl-C ends its evaluation, and the message is there again", re.compile(r"\n\(stopped\)\n> What is it about\?\n"))
            holds("it is not part of the conversation", home.read("hello").count("\n") == 3)
            t.keys("C-u")
            t.type("/file")
            t.keys("Enter")
            t.shows("and its document waits again", re.compile(r"4399999 bytes go with the next message;\s+/file"))
            t.type("/file off")
            t.keys("Enter")
            t.type("Bye")
            t.keys("Enter")
            t.shows("the next is answered", re.compile(r"lib/lib\S*\n256 of 256 [^\n]* tokens/s, he"))
            t.keys("C-c")
            t.shows("until ctrl-C", re.compile(r"\(stopped\)\n>\n"))
            t.keys("C-l")
            t.type("/edit")
            t.keys("Enter")
            t.shows("the last message is edited", re.compile(r"\n> Bye\n"))
            t.paste(" with many words" * 20000)
            t.keys("Enter")
            t.shows("a long one is evaluated", re.compile(r"\nprompt: [1-9]"))
            t.keys("C-c")
            t.shows("it is there again when that is stopped", re.compile(r"\w\n256 of 256 positions, hello$"))
            t.keys("C-u")
            t.type("Good night")
            t.keys("Enter")
            t.shows("another takes the place of the last, too", re.compile(r"lib/lib\S*\n256 of 256 [^\n]* tokens/s, he"))
            t.keys("C-c")
            t.shows("it is stopped", re.compile(r"\(stopped\)\n>\n"))
            t.keys("C-l")
            t.type("/edit")
            t.keys("Enter")
            t.shows("this is edited", re.compile(r"\n> Good night\n"))
            t.keys("C-c")
            t.type("Wait")
            t.keys("Enter")
            t.shows("after ctrl-C it stays, and another follows", re.compile(r"lib/lib\S*\n256 of 256 [^\n]* tokens/s, he"))
            t.keys("C-c")
            t.shows("it is stopped", re.compile(r"\(stopped\)\n>\n"))
            t.keys("C-d")
            t.shows("ctrl-D ends with status 0", re.compile(r"\nended with 0\b"))
        text = home.read("hello")
        holds("the conversation has the turns that were answered", re.findall('"user","content":"(.*?)"', text) == ["Hello", "Good night", "Wait"], text[:300])


def test_chat_formats():
    chatml = {3990: "<|im_start|>", 3991: "<|im_end|>"}
    v3 = dict(enumerate(("[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"), 3990))
    # An answer ends where the format's end token is drawn, which is made likely.
    for name, pieces, bias in (("chatml", chatml, "3991=9"), ("v3", v3, "2=6")):
        with Home(pieces) as home, Tmux(home.command("--seed", "5", "--temperature", "1", "--logit-bias", bias), 70, 20, **home.environment) as t:
            t.shows(f"{name} is named", re.compile(rf"^model.brise, format {name}\."))
            t.type("What is <|im_end|> or [/INST]?")
            t.keys("Enter")
            t.shows("an answer ends by itself", re.compile(r"^> What is <\|im_end\|> or \[/INST\]\?\n[^(]+\n>\n\d+ of 256 positions, [\d.]+ tokens/s, what-is-im-end-or-inst$", re.M))
            t.type("And?")
            t.keys("Enter")
            shown = t.shows("so does the next", re.compile(r"^> And\?\n[^(]+\n>\n\d+ of 256 .*, what-is", re.M))
            holds("no control token is shown", len(re.findall(r"<\|im_|\[/?INST", shown)) == 2, shown)
            t.type("/stats")
            t.keys("Enter")
            t.shows("there are four messages", re.compile(r"4 messages"))


def test_run_tells_of_chat():
    with Home() as home:
        with Line("dumb", command=[brise, "run", home.model, "Hello", "-n", "1"]) as line:
            line.shows("at a terminal run tells that there is a chat", b"brise chat MODEL talks with it")
        with Line("dumb", command=[brise, "run", home.model, "Hello", "-n", "1", "--chat"]) as line:
            holds("but not when asked a question", b"brise chat" not in line.shows("the answer", b"\n"))


def test_chat_in_a_pipe():
    with Home() as home:
        for begun in (False, True):
            process = subprocess.Popen(home.words("--ignore-eos"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env={**os.environ, **home.environment}, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            if begun:
                process.stdin.write(b"Hello\nAnd again\n")
                process.stdin.flush()
                process.stdout.read(100)
            else:
                while b"SigCgt" not in (status := open(f"/proc/{process.pid}/status", "rb").read()) or not int(re.search(rb"SigCgt:\s*(\w+)", status)[1], 16) & 1 << signal.SIGWINCH - 1:
                    time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            holds("SIGINT ends it" + (" in an answer" if begun else ""), process.wait(DEADLINE) == 130 and b"interrupted" in process.stderr.read(), process.returncode)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()


def test_chat_on_a_serial_line():
    with Home() as home, Line("dumb", command=home.words("--ignore-eos", "--no-drafts"), **home.environment) as line:
        seen = line.shows("a prompt appears", b"> ")
        line.type(b"Hello\r")
        seen += line.shows("an answer comes", b"/lib/lib")
        line.type(b"\x03")
        seen += line.shows("ctrl-C ends it", b"(stopped)\r\r\n> ")
        line.type(b"/stats\r")
        seen += line.shows("commands work", b"2 messages")
        seen += line.shows("and a prompt follows", b"> ")
        line.type(b"\x04")
        holds("ctrl-D ends with status 0", line.process.wait(DEADLINE) == 0, line.process.returncode)
        holds("no escape sequence is sent", b"\x1b" not in seen, seen)


for name, test in list(globals().items()):
    if name.startswith("test_") and (not chosen or name in chosen):
        try:
            test()
        except (subprocess.SubprocessError, OSError) as error:
            holds(name, False, f"{error} {getattr(error, 'stderr', '')}")
print(f"terminal: {passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0 or passed == 0)
