"""http_cases.py - requests that a server must refuse, and some that it must take, with the status expected

Those of test/test_http.c that matter on the wire, and more. None: any final status, or the connection closed.
"""

HOST = b"Host: localhost\r\n"
GET = b"GET /health HTTP/1.1\r\n"
POST = b"POST /v1/models HTTP/1.1\r\n" + HOST  # a path that takes no POST: 405 when read whole
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def good():
    """[(name, bytes, status)] of requests in the form that all clients use, or that the standard allows."""
    yield "plain", GET + HOST + b"\r\n", 200
    yield "empty line before", b"\r\n" + GET + HOST + b"\r\n", 200
    yield "HTTP/1.0", b"GET /health HTTP/1.0\r\n\r\n", 200
    yield "absolute target", b"GET http://localhost/health HTTP/1.1\r\n" + HOST + b"\r\n", 200
    yield "query", b"GET /health?a=b&c=%20 HTTP/1.1\r\n" + HOST + b"\r\n", 200
    yield "encoded path", b"GET /%68ealth HTTP/1.1\r\n" + HOST + b"\r\n", 200
    yield "HEAD", b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n", 200
    yield "address as host", GET + b"Host: 127.0.0.1:80\r\n\r\n", 200
    yield "IPv6 address as host", GET + b"Host: [::1]:80\r\n\r\n", 200
    yield "spaces around a value", GET + b"Host:   localhost   \r\n\r\n", 200
    yield "empty value", GET + HOST + b"X:\r\n\r\n", 200
    yield "bytes beyond ASCII in a value", GET + HOST + b"X: \xe9\xff\r\n\r\n", 200
    yield "body of GET", GET + HOST + b"Content-Length: 3\r\n\r\nabc", 200
    yield "length", POST + b"Content-Length: 3\r\n\r\nabc", 405
    yield "chunks", CHUNKS + b"3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n", 405
    yield "extension", CHUNKS + b"3;a=b\r\nabc\r\n0;c\r\n\r\n", 405
    yield "trailer", CHUNKS + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", 405
    yield "expectation", POST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\na", 405


def lines():
    yield "bare LF everywhere", b"GET /health HTTP/1.1\nHost: localhost\n\n", 400
    yield "bare LF after the request line", b"GET /health HTTP/1.1\n" + HOST + b"\r\n", 400
    yield "bare LF after a field", GET + b"Host: localhost\n\r\n", 400
    yield "bare LF at the end", GET + HOST + b"\n", 400
    yield "bare CR in a value", GET + HOST + b"X: a\rY: b\r\n\r\n", 400
    yield "bare CR in the request line", b"GET /health\rHTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "CR CR LF", GET + HOST + b"X: a\r\r\n\r\n", 400
    yield "NUL in a value", GET + HOST + b"X: a\0b\r\n\r\n", 400
    yield "NUL in a name", GET + HOST + b"X\0: a\r\n\r\n", 400
    yield "NUL in the target", b"GET /hea\0lth HTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "control character", GET + HOST + b"X: a\x08b\r\n\r\n", 400
    yield "DEL in a value", GET + HOST + b"X: a\x7fb\r\n\r\n", 400
    yield "folded line", GET + HOST + b"X: a\r\n b\r\n\r\n", 400
    yield "folded line with a tab", GET + HOST + b"X: a\r\n\tb\r\n\r\n", 400
    yield "folded first line", GET + b" " + HOST + b"\r\n", 400
    yield "folded Content-Length", POST + b"Content-Length:\r\n 3\r\n\r\nabc", 400
    yield "space before the colon", GET + b"Host : localhost\r\n\r\n", 400
    yield "space before the colon of a length", POST + b"Content-Length : 3\r\n\r\nabc", 400
    yield "tab before the colon", GET + HOST + b"X\t: a\r\n\r\n", 400
    yield "no colon", GET + HOST + b"X a\r\n\r\n", 400
    yield "empty name", GET + HOST + b": a\r\n\r\n", 400
    yield "bracket in a name", GET + HOST + b"X(y): a\r\n\r\n", 400
    yield "UTF-8 in a name", GET + HOST + b"X\xc3\xa9: a\r\n\r\n", 400
    yield "two empty lines before", b"\r\n\r\n" + GET + HOST + b"\r\n", 400
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505


def starts():
    for version in b"HTTP/2.0", b"HTTP/3.0", b"HTTP/0.9", b"HTTP/9.9":
        yield version.decode(), b"GET /health " + version + b"\r\n" + HOST + b"\r\n", 505
    for version in b"HTTP/1", b"HTTP/1.", b"HTTP/1.1.1", b"HTTP/1.10", b"http/1.1", b"HTTP 1.1", b"HTTP/01.1", b"HTTP/1.1x", b"HTTP/-1.1", b"XTTP/1.1", b"":
        yield "version " + version.decode(), b"GET /health " + version + b"\r\n" + HOST + b"\r\n", 400
    yield "no version", b"GET /health\r\n\r\n", 400
    yield "method alone", b"GET\r\n\r\n", 400
    yield "two spaces", b"GET  /health HTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "two spaces before the version", b"GET /health  HTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "space at the end", b"GET /health HTTP/1.1 \r\n" + HOST + b"\r\n", 400
    yield "space at the start", b" GET /health HTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "tabs for spaces", b"GET\t/health\tHTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "small letters", b"get /health HTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "sign in a method", b"GE@T /health HTTP/1.1\r\n" + HOST + b"\r\n", 400
    for method in b"TRACE", b"BREW", b"PROPFIND", b"GETT", b"A" * 100:
        yield "method " + method.decode()[:20], method + b" /health HTTP/1.1\r\n" + HOST + b"\r\n", 501
    yield "CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501
    for target in b"health", b"*", b"http:/health", b"ftp://localhost/", b"http://", b"http://u@localhost/health", b"/health#a", b"/%", b"/%4", b"/%zz", b"/%00", b"/a%00b", b"/\xff", b"/\xc3\xa9", b"/\\..", b"/..", b"/../health", b"/%2e%2e/health", b"/a/../../health", b"//../..", b"/\x01", b"/\x7f", b"/a b":
        yield "target %r" % target, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400
    yield "unknown path", b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n", 404
    yield "encoded line end in the path", b"GET /a%0d%0aX-Injected:%20b HTTP/1.1\r\n" + HOST + b"\r\n", 404
    yield "unknown method of a path", b"DELETE /health HTTP/1.1\r\n" + HOST + b"\r\n", 405


def hosts():
    yield "no Host", GET + b"\r\n", 400
    yield "no Host, absolute target", b"GET http://localhost/health HTTP/1.1\r\n\r\n", 400
    yield "two of Host", GET + HOST + HOST + b"\r\n", 400
    yield "two of Host, other letters", GET + HOST + b"HOST: evil.example\r\n\r\n", 400
    for host in b"", b" ", b"a b", b"a/b", b"a?b", b"u@localhost", b"localhost:a", b":80", b"[::1", b"[]", b"[x]", b"local\x00host", b"\xff", b"localhost:80:80", b"\tlocalhost":
        yield "Host %r" % host, GET + b"Host: " + host + b"\r\n\r\n", 400


def lengths():
    yield "no length", POST + b"\r\n", 411
    yield "both lengths", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    yield "both lengths, the other order", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400
    yield "two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400
    yield "the same length twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400
    yield "a list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc", 400
    for length in b"+3", b"-3", b"-0", b"0x3", b"3.0", b"3e0", b"three", b"", b"3 3", b"3;", b"\x0b3", b"3\x00":
        yield "length %r" % length, POST + b"Content-Length: " + length + b"\r\n\r\nabc", 400
    for length in b"1000000000", b"18446744073709551616", b"18446744073709551619", b"9" * 100, b"0" * 30 + b"9" * 30:
        yield "length %s" % length.decode()[:30], POST + b"Content-Length: " + length + b"\r\n\r\nabc", 413
    for coding in b"gzip", b"identity", b"chunked, gzip", b"gzip, chunked", b"chunked, chunked", b"chunked;q=1", b"xchunked", b"chunkedx", b"", b"\"chunked\"", b"chunked,":
        yield "coding %s" % coding.decode(), POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n", 501
    yield "coding twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    yield "coding twice, one hidden", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400
    yield "coding with a control character", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400
    yield "coding in HTTP/1.0", b"POST /v1/models HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    yield "unknown expectation", POST + b"Content-Length: 1\r\nExpect: tea\r\n\r\na", 417


def chunks():
    for size in b"", b" 3", b"-3", b"+3", b"0x3", b"g", b"3 a", b"3\x00", b"3,", b"\t3", b";3", b"0" * 20 + b"3":
        yield "size %r" % size, CHUNKS + size + b"\r\nabc\r\n0\r\n\r\n", 400
    for size in b"ffffffff", b"ffffffffffffffff", b"7fffffffffffffff", b"10000000000000003", b"fffffffffffffffff":
        yield "size %s" % size.decode(), CHUNKS + size + b"\r\nabc\r\n0\r\n\r\n", 413
    yield "bare LF behind the size", CHUNKS + b"3\nabc\r\n0\r\n\r\n", 400
    yield "bare CR behind the size", CHUNKS + b"3\rabc\r\n0\r\n\r\n", 400
    yield "bare LF behind the bytes", CHUNKS + b"3\r\nabc\n0\r\n\r\n", 400
    yield "nothing behind the bytes", CHUNKS + b"3\r\nabc0\r\n\r\n", 400
    yield "more bytes than the size", CHUNKS + b"3\r\nabcd\r\n0\r\n\r\n", 400
    yield "bare LF in an extension", CHUNKS + b"3;a\nb\r\nabc\r\n0\r\n\r\n", 400
    yield "bare LF behind the last size", CHUNKS + b"3\r\nabc\r\n0\n\n", 400
    yield "bare LF at the end", CHUNKS + b"3\r\nabc\r\n0\r\n\n", 400
    yield "bad trailer", CHUNKS + b"3\r\nabc\r\n0\r\nX y\r\n\r\n", 400
    yield "folded trailer", CHUNKS + b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n", 400


def oversize():
    yield "long target", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414
    yield "long method", b"A" * 20000, 414
    yield "long value", GET + HOST + b"X: " + b"a" * 70000 + b"\r\n\r\n", 431
    yield "long name", GET + HOST + b"X" * 70000 + b": a\r\n\r\n", 431
    yield "many fields", GET + HOST + b"X: a\r\n" * 5000 + b"\r\n", 431
    yield "endless extension", CHUNKS + b"3;" + b"a" * 100000, 431
    yield "endless trailer", CHUNKS + b"0\r\nX: " + b"a" * 100000, 431
    yield "body that grows by chunks", CHUNKS + b"1000\r\n" + (b"a" * 0x1000 + b"\r\n1000\r\n") * 3000, 413


def repeated():
    for name in b"Origin", b"Authorization", b"x-api-key", b"Content-Type", b"User-Agent", b"Expect":
        yield "two of " + name.decode(), GET + HOST + name + b": a\r\n" + name.upper() + b": b\r\n\r\n", 400


def all_bad():
    for part in lines, starts, hosts, lengths, chunks, oversize, repeated:
        yield from part()
