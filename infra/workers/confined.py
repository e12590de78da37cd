"""Run one program that reads hostile files so that it can do little else: no network, no files but its own, no new rights.

Used as ``python -m infra.workers.confined --folder DIR ... -- command ...`` below the supervisor, which ends it. The command
begins in the folder and may name it as ``{folder}``. What the kernel does not grant is left out; ``--probe`` says what it
grants. Linux only.
"""

import argparse
import ctypes
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38  # <sys/prctl.h>
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x2_0000, 0x1000_0000, 0x4000_0000  # <sched.h>
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18  # <sys/mount.h>
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = (
    444,
    445,
    446,
)  # system calls of Landlock, the same on every processor
VERSION = 1  # flag: which version of Landlock there is
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
OF_FILES = (
    EXECUTE | WRITE_FILE | READ_FILE | 1 << 14
)  # rights that a rule on a single file may grant; 14 is truncation
ALL_RIGHTS = {
    1: 1 << 13,
    2: 1 << 14,
    3: 1 << 15,
    4: 1 << 15,
}  # by version: the first right that it does not know
NEWEST_RIGHT = 1 << 16
TCP_VERSION, TCP = 4, 3  # Landlock's rights to bind and to connect
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/proc", "/sys/devices/system/cpu"),
    *("/etc/fonts", "/etc/libreoffice", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"),
    *(
        "/var/lib/libreoffice",
        "/var/spool/libreoffice",
        "/var/cache/fontconfig",
        "/etc/passwd",
        "/etc/nsswitch.conf",
    ),
)
TEMPORARY, FOLDER = Path("/tmp"), "{folder}"  # what the folder is called inside, and in the command
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_LIBC = ctypes.CDLL(None, use_errno=True)


def leave_network(folder: Path, readable: Sequence[Path]) -> bool:
    """Leave for a place without a network, where ``/tmp`` is ``folder`` with what is ``readable`` in it; False if one may not."""
    apart, user, group = CLONE_NEWNET | CLONE_NEWNS, os.getuid(), os.getgid()
    if _LIBC.unshare(CLONE_NEWUSER | apart) == 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    elif _LIBC.unshare(apart) != 0:
        return False
    _mount(b"none", b"/", MS_PRIVATE | MS_REC)
    for place in readable:
        if place.is_relative_to(TEMPORARY):
            inside = folder / place.relative_to(TEMPORARY)
            inside.mkdir(parents=True, exist_ok=True)
            _mount(os.fsencode(place), os.fsencode(inside), MS_BIND)
    _mount(os.fsencode(folder), os.fsencode(TEMPORARY), MS_BIND | MS_REC)
    return True


def _mount(source: bytes, target: bytes, flags: int) -> None:
    if _LIBC.mount(source, target, None, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), f"{target.decode()} cannot be mounted")


def only_files_of(folder: Path, readable: Sequence[Path]) -> bool:
    """Keep to ``folder``, and read what lies in ``readable`` and what the system is made of; False if the kernel cannot."""
    version = _LIBC.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)
    if version < 1:
        return False
    rights = ALL_RIGHTS.get(version, NEWEST_RIGHT) - 1
    handled = (ctypes.c_uint64 * 2)(rights, TCP)
    size = 16 if version >= TCP_VERSION else 8
    rules = _LIBC.syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    reading = EXECUTE | READ_FILE | READ_DIR
    for place in (*map(Path, SYSTEM), *readable):
        _allow(rules, place, reading)
    for device in map(Path, DEVICES):
        _allow(rules, device, READ_FILE | WRITE_FILE)
    _allow(rules, folder, rights)
    return _LIBC.syscall(RESTRICT_SELF, rules, 0) == 0


def _allow(rules: int, place: Path, rights: int) -> None:
    try:
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    granted = rights if place.is_dir() else rights & OF_FILES
    beneath = granted.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)
    if _LIBC.syscall(ADD_RULE, rules, 1, beneath, 0) != 0:
        raise OSError(ctypes.get_errno(), f"no rule for {place}")
    os.close(opened)


def limit(*, cpu_s: int, file_bytes: int, memory_bytes: int) -> None:
    """Processor time, size of a file and address space of each process; no core, no new rights."""
    for kind, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def main() -> None:
    """Read the command line, give up what is not needed, and become the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="all that the command may write to")
    parser.add_argument("--readable", type=Path, action="append", default=[], help="where else it may read")
    parser.add_argument("--cpu-s", type=int, default=60)
    parser.add_argument("--file-bytes", type=int, default=1 << 28)
    parser.add_argument("--memory-bytes", type=int, default=1 << 32)
    parser.add_argument("--probe", action="store_true", help="say what this kernel grants, and end")
    parser.add_argument("command", nargs="*")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    limit(cpu_s=arguments.cpu_s, file_bytes=arguments.file_bytes, memory_bytes=arguments.memory_bytes)
    has_left = leave_network(folder, arguments.readable)
    shown = TEMPORARY if has_left else folder
    # programs put sockets into /tmp, which must then be theirs
    is_kept = has_left and only_files_of(shown, arguments.readable)
    if arguments.probe:
        print(" ".join(["network"] * has_left + ["files"] * is_kept))
        return
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    environment = kept | {"HOME": str(shown), "TMPDIR": str(shown)}
    os.chdir(shown)
    command = [word.replace(FOLDER, str(shown)) for word in arguments.command]
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
