"""A file system in memory whose reads take their time: a real one, through ``/dev/fuse``.

Run as a program: ``slow_disk.py DIRECTORY SECONDS [held]`` mounts itself on the directory, says
"mounted", and then each read that it is asked for. A read takes so many seconds; many may be under
way at once, as on a disk at the far end of a network. With "held" no read is answered at all
before SIGUSR1. It unmounts itself on SIGTERM and SIGINT, and where it fails.

The protocol is that of ``linux/fuse.h``, as much of it as reading takes.
"""

import ctypes
import errno
import os
import select
import signal
import stat
import struct
import sys
import time
from contextlib import suppress

SMALL, LARGE = 50_000, 200_000
"""Octets: a file that a server may well read at once, and one that it may not."""
NAMES = [f"small-{n:02}.bin" for n in range(45)] + [f"large-{n}.bin" for n in range(5)]

_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _STATFS, _RELEASE = 1, 2, 3, 14, 15, 17, 18
_FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _INTERRUPT = 25, 26, 27, 28, 29, 36
_DESTROY, _BATCH_FORGET = 38, 42

_REQUEST = struct.Struct("IIQQIIIHH")  # len, opcode, unique, nodeid, uid, gid, pid, extensions
_REPLY = struct.Struct("IiQ")  # len, error, unique
_INIT_OUT = struct.Struct("IIIIHHIIHHIIH22x")
_ATTR = struct.Struct("QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("QQQQII")
_ATTR_OUT = struct.Struct("QII")
_OPEN_OUT = struct.Struct("QII")
_READ_IN = struct.Struct("QQI")
_STATFS_OUT = struct.Struct("QQQQQIII28x")
_DIRENT = struct.Struct("QQII")

_ROOT = 1
_VALID = 3600
_MNT_DETACH = 2
_NOSUID_NODEV_RDONLY = 2 | 4 | 1

_libc = ctypes.CDLL(None, use_errno=True)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def content(name: str) -> bytes:
    """Return what the file ``name`` holds."""
    size = SMALL if name.startswith("small") else LARGE
    line = f"{name} ".encode()
    return (line * (size // len(line) + 1))[:size]


def mount(descriptor: int, directory: bytes) -> None:
    """Mount what is served through ``descriptor``; raise ``OSError``."""
    options = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other,default_permissions"
    data = options % (descriptor, os.getuid(), os.getgid())
    flags = ctypes.c_ulong(_NOSUID_NODEV_RDONLY)
    if _libc.mount(b"slow_disk", directory, b"fuse", flags, data):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unmount(directory: bytes) -> bool:
    """Take it away from ``directory`` now, whoever still uses it; return whether it was there."""
    return bool(_libc.umount2(directory, _MNT_DETACH) == 0)


class SlowDisk:
    """The file system; ``descriptor`` is open on ``/dev/fuse``."""

    def __init__(self, descriptor: int, seconds: float, *, held: bool):
        self.held = held
        self._descriptor = descriptor
        self._seconds = seconds
        self._late: list[tuple[float, int, bytes]] = []  # when due, to which request, what

    def serve(self, *others: int) -> None:
        """Serve until the file system is unmounted, or there is something on one of ``others``."""
        poll = select.poll()
        for descriptor in (self._descriptor, *others):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._wait())}
            if not ready.isdisjoint(others):
                return
            self._answer_late()
            if self._descriptor in ready:
                try:
                    request = os.read(self._descriptor, 1024 * 1024 + 4096)
                except OSError as error:
                    if error.errno == errno.ENODEV:
                        return
                    continue  # interrupted, or taken back
                if not self._handle(request):
                    return

    def _wait(self) -> float | None:
        if self.held or not self._late:
            return None
        return max(0.0, (self._late[0][0] - time.monotonic()) * 1000 + 1)

    def _answer_late(self) -> None:
        while not self.held and self._late and self._late[0][0] <= time.monotonic():
            _, unique, data = self._late.pop(0)
            self._reply(unique, data)

    def _reply(self, unique: int, data: bytes = b"", error: int = 0) -> None:
        head = _REPLY.pack(_REPLY.size + len(data), -error, unique)
        with suppress(FileNotFoundError):  # whoever asked is gone
            os.write(self._descriptor, head + data)

    def _handle(self, request: bytes) -> bool:
        """Answer one request; return whether there may be more."""
        _, opcode, unique, node, *_ = _REQUEST.unpack_from(request)
        rest = request[_REQUEST.size :]
        if opcode in (_FORGET, _BATCH_FORGET, _INTERRUPT):
            return True
        if opcode == _INIT:
            answer = _INIT_OUT.pack(7, 31, 128 * 1024, 0, 100, 100, 4096, 1, 0, 0, 0, 0, 0)
            self._reply(unique, answer)
        elif opcode == _LOOKUP:
            name = rest.rstrip(b"\0").decode(errors="replace")
            if name in NAMES:
                number = NAMES.index(name) + 2
                entry = _ENTRY.pack(number, 0, _VALID, _VALID, 0, 0)
                self._reply(unique, entry + _attributes(number))
            else:
                self._reply(unique, error=errno.ENOENT)
        elif opcode == _GETATTR:
            self._reply(unique, _ATTR_OUT.pack(_VALID, 0, 0) + _attributes(node))
        elif opcode in (_OPEN, _OPENDIR):
            self._reply(unique, _OPEN_OUT.pack(0, 0, 0))
        elif opcode == _READ:
            _, offset, size = _READ_IN.unpack_from(rest)
            name = NAMES[node - 2]
            say(f"reading {name} {offset}")
            data = content(name)[offset : offset + size]
            self._late.append((time.monotonic() + self._seconds, unique, data))
        elif opcode == _READDIR:
            _, offset, _ = _READ_IN.unpack_from(rest)
            self._reply(unique, b"" if offset else _listing())
        elif opcode == _STATFS:
            self._reply(unique, _STATFS_OUT.pack(0, 0, 0, len(NAMES), 0, 4096, 255, 4096))
        elif opcode in (_RELEASE, _RELEASEDIR, _FLUSH):
            self._reply(unique)
        else:
            self._reply(unique, error=errno.ENOSYS)
        return bool(opcode != _DESTROY)


def _attributes(node: int) -> bytes:
    is_root = node == _ROOT
    size = 0 if is_root else len(content(NAMES[node - 2]))
    mode = stat.S_IFDIR | 0o755 if is_root else stat.S_IFREG | 0o644
    then = 1_700_000_000
    return _ATTR.pack(
        *(node, size, size // 512, then, then, then, 0, 0, 0),
        *(mode, 1, os.getuid(), os.getgid(), 0, 4096, 0),
    )


def _listing() -> bytes:
    entries = []
    for index, name in enumerate(NAMES):
        octets = name.encode()
        entry = _DIRENT.pack(index + 2, index + 1, len(octets), stat.S_IFREG >> 12) + octets
        entries.append(entry + bytes(-len(entry) % 8))
    return b"".join(entries)[:4096]


def main(directory: str, seconds: str, *rest: str) -> None:
    try:
        descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        mount(descriptor, os.fsencode(directory))
    except OSError as error:
        raise SystemExit(f"no file system of our own here: {error}") from None
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    disk = SlowDisk(descriptor, float(seconds), held=bool(rest))

    def release(number: int, frame: object) -> None:
        disk.held = False

    def end(number: int, frame: object) -> None:
        os.write(waker, b"x")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    signal.signal(signal.SIGUSR1, release)
    # So that a signal ends the wait of ``poll``, which Python would go on with.
    ready, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    say("mounted")
    try:
        while True:
            disk.serve(wake, ready)
            if not select.select([ready], [], [], 0)[0] or select.select([wake], [], [], 0)[0]:
                break
            os.read(ready, 4096)
    finally:
        unmount(os.fsencode(directory))


if __name__ == "__main__":
    main(*sys.argv[1:])
