"""serving.py - what tests of brise serve share: a server of their own, and requests byte by byte (standard library only)"""
import contextlib, os, re, select, signal, socket, subprocess, sys, tempfile, time

# A test that is terminated leaves its with blocks as after an exception, so that what it started ends too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
# A shell ignores it for what it runs in the background, and what is started here would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def running(command, **options):
    """A process that ends with the block."""
    with subprocess.Popen(command, **options) as child:
        try:
            yield child
        finally:
            child.terminate()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port):
    """Until something listens there."""
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nothing listens on port %d" % port)


class Server:
    """brise serve on a free port, until the end of a with block; its log is in a file that is removed then."""

    def __init__(self, brise, model, *options, environment=None, descriptors=(), ready=True):
        self.log = tempfile.NamedTemporaryFile(mode="w+b", suffix=".log")
        where = () if "--unix" in options or descriptors else ("--host", "127.0.0.1", "--port", "0")
        self.process = subprocess.Popen([brise, "serve", model, *where, "--no-cache", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
                                        env=environment, pass_fds=descriptors)
        try:
            self.place = self.process.stdout.readline().decode().strip()
            if not self.place:
                raise RuntimeError("brise serve ended with status %d: %s" % (self.process.wait(), self.read_log()))
            found = re.fullmatch(r"http://(.*):(\d+)", self.place)
            self.address = (found.group(1).strip("[]"), int(found.group(2))) if found else self.place.removeprefix("unix:")
            if ready:
                self.wait_until_ready()
        except BaseException:  # what is not made is in no with block
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def connect(self, timeout=20):
        client = socket.socket(socket.AF_UNIX) if isinstance(self.address, str) else socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        client.settimeout(timeout)
        client.connect(self.address)
        return client

    def wait_until_ready(self):
        for _ in range(1200):
            if self.get("/health")[0] == 200:
                return
            time.sleep(0.05)
        raise RuntimeError("the model is not loaded")

    def ask(self, request, end=False, timeout=20):
        """Sends bytes on a connection of their own; returns (status, headers, body), status 0: closed without a reply."""
        with self.connect(timeout) as client:
            try:
                client.sendall(request)
                if end:
                    client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all of it was sent: the reply may be there
            try:
                return read_reply(client, head=request.startswith(b"HEAD"))
            except OSError:
                return 0, {}, b""

    def get(self, path, *fields):
        return self.ask(("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n" % (path, "".join(f + "\r\n" for f in fields))).encode())

    def post(self, path, body, *fields):
        body = body if isinstance(body, bytes) else body.encode()
        return self.ask(("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
                         % (path, len(body), "".join(f + "\r\n" for f in fields))).encode() + body)

    def read_log(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as log:
            return log.read()

    def processor_time(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        """KB"""
        with open("/proc/%d/smaps_rollup" % self.process.pid) as f:
            return int(re.search(r"^Rss: *(\d+) kB", f.read(), re.M).group(1))

    def is_alive(self):
        return self.process.poll() is None

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Its exit status."""
        if self.is_alive():
            self.process.send_signal(number)
        return self.process.wait(timeout)

    def kill(self):
        """Whatever state it is in."""
        if self.is_alive():
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


def read_reply(client, head=False, rest=b""):
    """(status, {name: value}, body) of the next reply on a connection; (0, {}, b"") if it was closed before. 100 Continue is skipped."""
    status, headers, body, _ = read_one(client, head, rest)
    return status, headers, body


def read_one(client, head=False, data=b""):
    while True:
        while b"\r\n\r\n" not in data:
            more = client.recv(65536)
            if not more:
                return 0, {}, b"", b""
            data += more
        start, _, data = data.partition(b"\r\n\r\n")
        lines = start.decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d\d\d) [ -~]+", lines[0]).group(1))
        if status != 100:
            break
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), value)
    if head or status in (204, 304):
        return status, headers, b"", data
    if "content-length" in headers:
        n = int(headers["content-length"])
        while len(data) < n:
            more = client.recv(65536)
            if not more:
                break
            data += more
        return status, headers, data[:n], data[n:]
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while True:
            while b"\r\n" not in data:
                more = client.recv(65536)
                if not more:
                    return status, headers, body, b""
                data += more
            size, _, data = data.partition(b"\r\n")
            n = int(size, 16)
            while len(data) < n + 2:
                more = client.recv(65536)
                if not more:
                    return status, headers, body, b""
                data += more
            body, data = body + data[:n], data[n + 2:]
            if n == 0:
                return status, headers, body, data
    while more := client.recv(65536):
        data += more
    return status, headers, data, b""


def read_replies(client, n):
    """The statuses of so many replies; fewer if the connection ends."""
    statuses, rest = [], b""
    for _ in range(n):
        status, _, _, rest = read_one(client, False, rest)
        if status == 0:
            break
        statuses.append(status)
    return statuses


def is_closed(client, seconds=5):
    """Whether the other end closes the connection within that time, whatever it still sends."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([client], [], [], max(0, end - time.monotonic()))[0] and not client.recv(65536):
                return True
    except OSError:
        return True
    return False
