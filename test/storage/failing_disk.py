"""failing_disk.py FILE FOLDER SWITCH - mounts FOLDER with FILE in it, on a disk that fails while SWITCH is there

A file system in user space by the kernel's own protocol (include/uapi/linux/fuse.h), so that reads of
mapped pages fail as those of a broken card do. Reads from 256 KB on fail with EIO while SWITCH is
there: what stands before are the tables of a model. Needs root and /dev/fuse. Ends when FOLDER is
unmounted.
"""
import ctypes, errno, os, stat, struct, sys, time

source, folder, switch = sys.argv[1:]
LOOKUP, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, OPENDIR, ACCESS, FORGET, DESTROY = 1, 3, 14, 15, 17, 18, 25, 26, 27, 34, 2, 38
NAME = os.path.basename(source).encode()
TABLES = 262144
data = open(source, "rb")
size = os.fstat(data.fileno()).st_size

fuse = os.open("/dev/fuse", os.O_RDWR)
options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"brise", folder.encode(), b"fuse", 6, options.encode()) != 0:  # nosuid, nodev
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))


def attributes(node):
    mode, n = (stat.S_IFDIR | 0o755, 0) if node == 1 else (stat.S_IFREG | 0o644, size)
    return struct.pack("<QQQQQQIIIIIIIIII", node, n, (n + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body):
    """An error number, or bytes."""
    if opcode == INIT:
        major, minor, readahead, flags = struct.unpack_from("<IIII", body)
        return struct.pack("<IIIIHHIIHHIIII20x", 7, min(minor, 31), 131072, 0, 12, 9, 131072, 1, 32, 0, 0, 0, 0, 0)[:64]
    if opcode == LOOKUP:
        if body.rstrip(b"\0") != NAME:
            return errno.ENOENT
        return struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + attributes(2)
    if opcode == GETATTR:
        return struct.pack("<QII", 3600, 0, 0) + attributes(node)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("<QII", 0, 0, 0)
    if opcode == READ:
        offset, n = struct.unpack_from("<8xQI", body)
        if offset + n > TABLES and os.path.exists(switch):
            return errno.EIO
        return os.pread(data.fileno(), n, offset)
    if opcode in (RELEASE, FLUSH, ACCESS, DESTROY):
        return b""
    return errno.ENOSYS


while True:
    try:
        request = os.read(fuse, 1 << 20)
    except OSError as error:
        if error.errno == errno.ENODEV:  # unmounted
            break
        if error.errno in (errno.EINTR, errno.ENOENT):
            continue
        raise
    length, opcode, unique, node = struct.unpack_from("<IIQQ", request)
    if opcode == FORGET:
        continue
    result = answer(opcode, node, request[40:])
    if isinstance(result, int):
        reply = struct.pack("<IiQ", 16, -result, unique)
    else:
        reply = struct.pack("<IiQ", 16 + len(result), 0, unique) + result
    try:
        os.write(fuse, reply)
    except OSError as error:
        if error.errno != errno.ENOENT:  # the request was interrupted
            raise
