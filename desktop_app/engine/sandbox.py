"""What a process can give up before it opens a file from a stranger: network, programs, other files, memory, time.

Each layer that the system offers is taken, and told. Linux has them all; elsewhere there are the limits and Python's
audit events, which hold against Python code but not against a fault in native code. Nothing here can be undone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

BREACH = 7
"""Exit status of a process that tried what it had given up."""


class Protection(Enum):
    """A layer that is in force."""

    LIMITS = "limits of memory, processor time and file size"
    NO_PRIVILEGES = "no privileges, and none to be gained"
    NO_NETWORK = "a network namespace without a network"
    FEWER_CALLS = "no system calls for sockets, programs or other processes"
    FEW_FILES = "no files but those it works on"
    EVENTS = "Python's audit events for sockets, programs and files"


@dataclass(frozen=True)
class Limits:
    """``memory_bytes`` beyond what the process has when it closes the sandbox, ``file_bytes`` of each file that it
    writes, ``time_s`` of its life.
    """

    memory_bytes: int
    file_bytes: int
    time_s: float


def has_no_network(protections: Iterable[Protection], system: str = sys.platform) -> bool:
    """Whether the network is really closed; where the kernel offers nothing for it, Python's events have to do."""
    enough = {Protection.NO_NETWORK, Protection.FEWER_CALLS} if system == "linux" else {Protection.EVENTS}
    return not enough.isdisjoint(protections)


def end_with_parent() -> None:
    """The kernel kills this process when the thread that started it ends. Linux only."""
    if sys.platform == "linux":
        _call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def close_sandbox(limits: Limits, readable: Sequence[Path], writable: Path) -> list[Protection]:
    """Give up everything but reading the files ``readable`` and making files in the folder ``writable``.

    Call it in a process with one thread, when all is imported that will be needed. Returns what took effect.
    """
    layers: list[tuple[Protection, Callable[[], bool]]] = [(Protection.LIMITS, lambda: _limit(limits))]
    if sys.platform == "linux":
        layers += [
            (Protection.NO_NETWORK, _leave_network),
            (Protection.NO_PRIVILEGES, _drop_privileges),
            (Protection.FEW_FILES, lambda: _restrict_files(readable, writable)),
            (Protection.FEWER_CALLS, lambda: refuse_calls(_dangerous_calls())),
        ]
    layers.append((Protection.EVENTS, lambda: _watch_events(writable)))
    return [protection for protection, take in layers if take()]


# Limits -------------------------------------------------------------------------------------------


def _limit(limits: Limits) -> bool:
    if sys.platform == "win32":
        return False
    import resource

    seconds = int(limits.time_s) + 1
    wanted = {
        resource.RLIMIT_AS: _address_space() + limits.memory_bytes,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    signal.alarm(seconds)  # for the case that nobody waits for this process any more
    taken = [_set_limit(kind, value) for kind, value in wanted.items()]
    return all(taken)


def _set_limit(kind: int, value: int) -> bool:
    import resource

    _, most = resource.getrlimit(kind)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        return False
    return True


def _address_space() -> int:
    """Bytes that this process has mapped; a generous guess where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 16 * 1024**3
    return pages * os.sysconf("SC_PAGE_SIZE")


# Linux: calls that Python has no functions for ------------------------------------------------------

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CAPABILITY_VERSION = 0x20080522

_IS_X86 = platform.machine() in ("x86_64", "AMD64")
_IS_ARM = platform.machine() in ("aarch64", "arm64")
_SYS_CAPSET, _SYS_SECCOMP = (126, 317) if _IS_X86 else (91, 277)
_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call_prctl(option: int, value: int) -> bool:
    zero = ctypes.c_ulong(0)
    return bool(_libc().prctl(option, ctypes.c_ulong(value), zero, zero, zero) == 0)


def _syscall(number: int, *arguments: Any) -> int:
    """Its result, -1 where it fails. Numbers are passed at full width, since the C function takes any arguments."""
    call = _libc().syscall
    call.restype = ctypes.c_long
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(call(ctypes.c_long(number), *wide))


def _leave_network() -> bool:
    """A new network namespace, whose loopback is down too; for a usual user inside a new user namespace."""
    unshare = _libc().unshare
    return bool(unshare(_CLONE_NEWNET) == 0 or unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _drop_privileges() -> bool:
    """No capabilities, also for root, and no program that could bring them back."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
    none = ctypes.create_string_buffer(24)
    dropped = _knows_numbers() and _syscall(_SYS_CAPSET, header, none) == 0
    return _call_prctl(_PR_SET_NO_NEW_PRIVS, 1) and dropped


def _knows_numbers() -> bool:
    """Whether this program knows the processor's system calls; a 32-bit Python has others."""
    return (_IS_X86 or _IS_ARM) and sys.maxsize > 2**32


# Linux: Landlock, https://docs.kernel.org/userspace-api/landlock.html --------------------------------

_WRITE_FILE, _READ_FILE, _REMOVE_FILE, _MAKE_FILE, _CUT_FILE = 1 << 1, 1 << 2, 1 << 5, 1 << 8, 1 << 14
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files a version knows; each is a bit."""


def _restrict_files(readable: Sequence[Path], writable: Path) -> bool:
    """No file but ``readable`` and what is made in ``writable``; newer kernels also refuse TCP ports and signals."""
    version = _syscall(_SYS_LANDLOCK_CREATE, None, 0, 1)
    if version < 1 or len(os.listdir("/proc/self/task")) != 1:  # it would hold for this thread alone
        return False
    rights = (1 << _FILE_RIGHTS[min(version, 5)]) - 1
    ruleset = struct.pack("=QQQ", rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    rules = _syscall(_SYS_LANDLOCK_CREATE, ctypes.create_string_buffer(ruleset, 24), 24, 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(rules, path, _READ_FILE)
        _allow(rules, writable, (_READ_FILE | _WRITE_FILE | _REMOVE_FILE | _MAKE_FILE | _CUT_FILE) & rights)
        return _call_prctl(_PR_SET_NO_NEW_PRIVS, 1) and _syscall(_SYS_LANDLOCK_RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    place = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    try:
        if _syscall(_SYS_LANDLOCK_ADD, rules, 1, ctypes.create_string_buffer(struct.pack("=Qi", rights, place)), 0):
            raise OSError(ctypes.get_errno(), "Landlock does not take the rule", str(path))
    finally:
        os.close(place)


# Linux: seccomp, https://docs.kernel.org/userspace-api/seccomp_filter.html ---------------------------

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
_X32_BIT = 0x40000000
_MODE_FILTER, _ALL_THREADS = 1, 1

_NEW_CALLS = (424, 425, 426, 427, 428, 429, 430, 432, 434, 435, 438, 442)
"""The same on every processor: signals by descriptor, io_uring, mounts, clone3, descriptors of other processes."""

_X86_CALLS = (
    *(41, 42, 43, 49, 50, 53, 288),  # socket, connect, accept, bind, listen, socketpair, accept4
    *(56, 57, 58, 59, 322),  # clone, fork, vfork, execve, execveat
    *(62, 129, 200, 234, 297),  # kill, rt_sigqueueinfo, tkill, tgkill, rt_tgsigqueueinfo
    *(101, 310, 311, 298),  # ptrace, process_vm_readv, process_vm_writev, perf_event_open
    *(155, 161, 165, 166, 272, 308, 303, 304),  # pivot_root, chroot, mounts, unshare, setns, handles of files
    *(175, 313, 246, 320, 169, 167, 172, 173),  # kernel modules, kexec, reboot, swapon, iopl, ioperm
    *(248, 249, 250, 321, 323),  # keys, bpf, userfaultfd
)
_ARM_CALLS = (
    *(198, 199, 200, 201, 202, 203, 242),  # socket, socketpair, bind, listen, accept, connect, accept4
    *(220, 221, 281),  # clone, execve, execveat
    *(129, 130, 131, 138, 240),  # kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
    *(117, 270, 271, 241),  # ptrace, process_vm_readv, process_vm_writev, perf_event_open
    *(41, 51, 40, 39, 97, 268, 264, 265),  # pivot_root, chroot, mounts, unshare, setns, handles of files
    *(105, 273, 104, 294, 142, 224),  # kernel modules, kexec, reboot, swapon
    *(217, 218, 219, 280, 282),  # keys, bpf, userfaultfd
)


def _dangerous_calls() -> tuple[int, ...]:
    return (*(_X86_CALLS if _IS_X86 else _ARM_CALLS), *_NEW_CALLS)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse_calls(numbers: Iterable[int]) -> bool:
    """From now on the system calls ``numbers`` fail with EPERM in this process; whether that could be had."""
    if not _knows_numbers() or not _call_prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return False
    processor = 0xC000003E if _IS_X86 else 0xC00000B7
    steps = [(_LOAD, 0, 0, 4), (_IF_EQUAL, 1, 0, processor), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if _IS_X86:
        steps += [(_IF_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _REFUSE)]
    for number in numbers:
        steps += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.cast(code, ctypes.c_void_p))
    return _syscall(_SYS_SECCOMP, _MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0


# Every system: Python's audit events ----------------------------------------------------------------

_REFUSED_EVENTS = (
    *("socket.", "subprocess.", "ctypes.dlopen", "ctypes.call_function", "winreg.", "_winapi.", "shutil.", "urllib."),
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill", "pty.spawn"),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate"),
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _watch_events(writable: Path) -> bool:
    """End this process at any event that it has no reason for, or at a file opened for writing elsewhere."""
    folder = os.path.join(os.path.realpath(writable), "")

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED_EVENTS) or (event == "open" and _writes_outside(arguments, folder)):
            with contextlib.suppress(OSError):
                os.write(2, f"refused: {event}\n".encode())
            os._exit(BREACH)

    sys.addaudithook(watch)
    return True


def _writes_outside(arguments: tuple[Any, ...], folder: str) -> bool:
    path, mode, flags = arguments
    writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & _WRITING)
    if not writes or isinstance(path, int):
        return False
    return not os.path.realpath(os.fsdecode(path)).startswith(folder)
