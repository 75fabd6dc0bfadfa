"""All that gradfade asks of Numba: decorators, flags, threading layer. No other module imports numba.

Kernels are kept on disk, as cache says.
"""

import os
import platform
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from threading import Lock
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
import numba.extending
import numpy as np
from numba import prange as prange
from numba import types as types
from numba.core import event
from numba.extending import overload, register_jitable

from kernels import cache


def _target() -> tuple[str, str]:
    """CPU name and features to compile for; the user's NUMBA_CPU_NAME is respected.

    LLVM prefers 256-bit vectors on Intel's AVX-512 cores, which halves the arithmetic these
    kernels can do per cycle; "-prefer-256-bit" lifts that.
    """
    if numba.config.CPU_NAME is not None:
        return numba.config.CPU_NAME, numba.config.CPU_FEATURES or ""
    features = ["+" + name if on else "-" + name for name, on in llvm.get_host_cpu_features().items()]
    if platform.machine() in ("x86_64", "AMD64"):
        features.append("-prefer-256-bit")
    return llvm.get_host_cpu_name(), ",".join(sorted(features, key=lambda feature: feature[1:]))


TARGET = _target()
CACHE_BASE = cache.base(numba.config.CACHE_DIR)
CACHE_DIR = CACHE_BASE / cache.digest(numba.__version__, llvmlite.__version__, TARGET)
numba.config.CPU_NAME, numba.config.CPU_FEATURES = TARGET
numba.config.CACHE_DIR = str(CACHE_DIR)
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

_COMPILE_TIMER = event.TimingListener()
event.register("numba:compile", _COMPILE_TIMER)
_KERNELS: dict[str, Any] = {}
_NUMBERS = count(1)  # of the kernels over functions from outside
_UNSEALING = Lock()
_threads = 1

# Machine code of our own for kernels; its first parameter, the typing context, is not part of a call.
intrinsic: Any = numba.extending.intrinsic

# Four vectors of a loop side by side: one alone is a long chain of operations that wait for each other.
llvm.set_option("gradfade", "-force-vector-interleave=4")

# A function that kernels call: stays a plain Python function outside of them. Inlined however long it is,
# because a call left in a loop keeps the loop scalar.
scalar = register_jitable(forceinline=True)

# One that is too long to be copied to every place it is called from.
subroutine = register_jitable


def kernel(name: str | None = None, sealed: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a loop over arrays: compiled at its first call per signature, cached on disk.

    A sealed one is compiled by declare alone, and raises TypeError where it is called with other types.

    name must be given for a closure: cached closures of one factory would otherwise share one
    symbol, and a jitted caller of two of them silently runs the wrong one. The name must
    determine the body, so a second kernel of the same name raises ValueError. A closure over a function from outside
    of this folder, whose name may be that of another and whose file may change, gets a number, and is not cached.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        ours = all(cache.is_ours(cell.cell_contents) for cell in function.__closure__ or ())
        title = name or function.__name__
        function.__name__ = function.__qualname__ = title if ours else f"{title}_{next(_NUMBERS)}"
        if function.__name__ in _KERNELS:
            raise ValueError(f"two kernels are named {function.__name__!r}")
        dispatcher = numba.njit(cache=ours, error_model="numpy", no_cfunc_wrapper=True, nogil=True, **options)(function)
        if ours:
            dispatcher._cache.save_overload = cache.one_at_a_time(dispatcher._cache.save_overload, CACHE_DIR)
        if sealed:
            dispatcher._can_compile = False
            dispatcher._compile_for_args = partial(_again, dispatcher)
        _KERNELS[function.__name__] = dispatcher
        return dispatcher

    return decorate


def _again(dispatcher: Any, *arguments: Any) -> Any:
    """What Numba calls where a sealed kernel was called while declare had it open: the same once more, when it is shut.

    Open, it takes no writeable array for a read-only one.
    """
    with _UNSEALING:
        return dispatcher


def declare(dispatcher: Any, kinds: Iterable[tuple[Any, int]], outputs: int, *others: Any) -> int:
    """Compile a sealed kernel for arrays of these dtypes and dimensions and other arguments of these types.

    Arrays are C-contiguous and aligned. The first ones, as many as outputs, are writeable, the inputs that follow may
    be read-only. Returns where the machine code begins.
    """
    arrays = (
        types.Array(numba.from_dtype(dtype), ndim, "C", readonly=i >= outputs) for i, (dtype, ndim) in enumerate(kinds)
    )
    signature = (*arrays, *others)
    with _UNSEALING:
        dispatcher._can_compile = True
        try:
            dispatcher.compile(signature)
        except OSError:
            if signature not in dispatcher.overloads:
                raise  # else it is only not on disk
        finally:
            dispatcher._can_compile = False
    compiled = dispatcher.overloads[signature]
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def by_dtype(float32: Callable[..., Any], float64: Callable[..., Any]) -> Any:
    """One scalar out of two: float32 where the first argument is of that type, else float64."""

    def choose(x: Any, *others: Any) -> Any:
        return (float32 if type(x) is np.float32 else float64)(x, *others)

    overload(choose, strict=False, jit_options={"forceinline": True})(
        lambda x, *others: float32 if x == types.float32 else float64
    )
    choose.__name__ = choose.__qualname__ = f"{float32.__name__}_{float64.__name__}"
    return choose


def symbol(name: str, address: int) -> None:
    """Let machine code find what is at that address by its name."""
    llvm.add_symbol(name, address)


def external(name: str, address: int, result: Any, *arguments: Any) -> Any:
    """A C function that kernels can call; linked by its name, so that they can still be cached on disk."""
    symbol(name, address)
    return types.ExternalFunction(name, result(*arguments))


def host_has(*features: str) -> bool:
    """Whether this CPU, whatever we compile for, has all of LLVM's features of these names."""
    present = llvm.get_host_cpu_features()
    return all(present.get(feature, False) for feature in features)


def compile_seconds() -> float:
    """Seconds this process has spent compiling kernels or loading them from the cache."""
    return _COMPILE_TIMER.duration if _COMPILE_TIMER.done else 0.0


def compile_counts() -> tuple[int, int]:
    """(signatures loaded from the disk cache, signatures compiled) by this process."""
    stats = [dispatcher.stats for dispatcher in _KERNELS.values()]
    return sum(sum(s.cache_hits.values()) for s in stats), sum(sum(s.cache_misses.values()) for s in stats)


def assembly(dispatcher: Any, dtype: str = "") -> str:
    """Machine code of the signatures called so far (whose first argument is of dtype, if given), as text.

    It is made anew, of the optimised code that the cache keeps for callers, because machine code that came from the
    cache cannot be inspected.
    """
    texts = []
    for signature, compiled in dispatcher.overloads.items():
        if not dtype or str(getattr(signature[0], "dtype", signature[0])) == dtype:
            library = compiled.library
            module = llvm.parse_bitcode(library._get_module_for_linking().as_bitcode())
            texts.append(library.codegen._tm.emit_assembly(module))
    return "\n".join(texts)


def versions() -> dict[str, str]:
    """Versions of the compiler stack."""
    return {"numba": numba.__version__, "llvmlite": llvmlite.__version__}


def _start_threads() -> None:
    """Start Numba's threads so that they spin for microseconds between two kernels, not for milliseconds.

    A spinning thread holds a core that the main thread or one of OpenBLAS wants: with as many threads as cores,
    products between kernels took 15 times as long. The user's own OMP_WAIT_POLICY or GOMP_SPINCOUNT is respected.
    """
    ours = not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if ours:
        os.environ["GOMP_SPINCOUNT"] = "2000"
    numba.get_num_threads()
    if ours:
        del os.environ["GOMP_SPINCOUNT"]


def set_num_threads(n: int) -> None:
    """Let kernels use n threads, which are started with the first n > 1. A process that forks later cannot use them."""
    global _threads
    if n > 1:
        _start_threads()
        numba.set_num_threads(n)
    _threads = n


def max_threads() -> int:
    """How many threads there can be: the CPUs that this process may use, or the user's NUMBA_NUM_THREADS."""
    return int(numba.config.NUMBA_NUM_THREADS)


def num_threads() -> int:
    """How many threads kernels may use: 1 until it is set."""
    return _threads


def threading() -> tuple[int, str]:
    """(threads, layer) of parallel kernels. Starts the threads: only then does Numba tell its layer."""
    _start_threads()
    return _threads, numba.threading_layer()
