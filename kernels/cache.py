"""Where compiled kernels are kept on disk: whose folder, under which name, and how a kernel gets into it.

The folder is named by a digest of every kernel source, the compiler's versions and the target CPU, because Numba
itself neither notices an edit in an imported file nor a changed flag.
"""

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import platformdirs

SOURCES = Path(__file__).parent


def digest(*compiler: Any) -> str:
    """Name of the cache folder: changes with any kernel source and with what is said of the compiler."""
    state = hashlib.sha256(repr(compiler).encode())
    for source in sorted(SOURCES.glob("*.py")):
        state.update(source.name.encode() + source.read_bytes())
    return state.hexdigest()[:16]


def private(folder: Path) -> Path:
    """folder, made for us alone: Numba unpickles what it finds there. PermissionError where it is another's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not ours to cache kernels in; set NUMBA_CACHE_DIR to a folder of your own")
    folder.chmod(0o700)
    return folder


def base(chosen: str) -> Path:
    """A folder of our own in the one that the user has chosen, else in the user's cache, else in the temporary one."""
    if chosen:
        return Path(chosen) / "gradfade"
    usual = Path(platformdirs.user_cache_dir("gradfade")) / "kernels"
    try:
        usual.mkdir(parents=True, exist_ok=True)
        writable = os.access(usual, os.W_OK)
    except OSError:
        writable = False
    return usual if writable else private(Path(tempfile.gettempdir()) / f"gradfade-{os.getuid()}")


def one_at_a_time(save: Callable[..., None], folder: Path) -> Callable[..., None]:
    """What puts a signature into the cache, done by one process at a time.

    Numba reads a kernel's index, numbers the new file after those that it found there, and writes both. Two processes
    at once would give one file to two signatures, and whoever loads one of them would run the other's machine code.
    """

    @wraps(save)
    def locked(*compiled: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(*compiled)

    return locked


def is_ours(captured: Any) -> bool:
    """Whether what a kernel closes over is no function, or one of this folder: what its cache folder is named after."""
    if not callable(captured):
        return True
    code, inner = getattr(captured, "__code__", None), getattr(captured, "__closure__", None) or ()
    if code is None or Path(code.co_filename).parent != SOURCES:
        return False
    return all(is_ours(cell.cell_contents) for cell in inner)
