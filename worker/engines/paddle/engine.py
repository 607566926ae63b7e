"""Paddle's own inference engine on CPU."""

import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from core.errors import FatalError
from core.profile import EngineOffer, NetworkProfile, Offered
from core.ways import Way
from worker.engines.paddle.configuration import configuration
from worker.engines.paddle.doubts import TINY, doubted
from worker.engines.paddle.graph import read_graph
from worker.engines.paddle.vendor import paddle
from worker.engines.protocol import ModelFiles, OutOfMemoryError, PredictError, Sizes

_log = structlog.get_logger()

# What Paddle's C++ errors become in Python; MemoryError is told apart before them.
_VENDOR_ERRORS = (IndexError, OSError, RuntimeError, SystemError, TypeError, ValueError)

# Whatever oneDNN throws arrives as this and no more. Shapes and types are checked before oneDNN
# sees them, so that it is memory, if anything can be done about it.
_NAMELESS = "std::exception"

_IMAGE = "image"

_PICTURES = 4  # dimensions: [B,C,H,W]

# Networks halve their maps six times at most: of a larger picture, no map has sides of one pixel.
_TINY_SIDE = 64

_NOT_LOADED = "a damaged download, or an export by a newer Paddle: export it again"

_RANK = 1.0  # by definition: what other engines and devices are measured in

NUMERICS = 2
"""Rises with each change of this adapter that changes numbers: shards of one job stay alike.

1 was oneDNN wherever it loaded.
"""


class PaddlePredictor:
    """A network in Paddle Inference. See `Predictor` for what it promises."""

    def __init__(
        self,
        vendor: Any,
        plainly: Callable[[], Any] | None = None,
        *,
        shared_bytes: int = 0,
        own_bytes: int = 0,
    ) -> None:
        """Wrap what Paddle made.

        Args:
            vendor: Paddle's predictor.
            plainly: Loads the network anew, for pictures too small for the way of this one.
            shared_bytes: What it keeps that its replicas share.
            own_bytes: What each of them keeps beside it.
        """
        self._vendor = vendor
        self._plainly = plainly
        self._own_bytes = own_bytes
        self.memory_bytes = shared_bytes + own_bytes
        self._plain: Any = None
        self.input_names: tuple[str, ...] = tuple(vendor.get_input_names())
        self._output_names = tuple(vendor.get_output_names())

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one batch; see `Predictor.predict`."""
        arrays = [np.ascontiguousarray(array) for array in self._bound(feeds)]
        try:
            vendor = self._vendor_for(arrays)
            for name, array in zip(self.input_names, arrays, strict=True):
                vendor.get_input_handle(name).copy_from_cpu(array)
            vendor.run()
            return [vendor.get_output_handle(name).copy_to_cpu() for name in self._output_names]
        except MemoryError as error:
            raise OutOfMemoryError(_summary(error)) from error
        except _VENDOR_ERRORS as error:
            many = any(len(array) > 1 for array in arrays)
            if many and str(error) == _NAMELESS:
                raise OutOfMemoryError("oneDNN failed, most likely for memory") from error
            raise PredictError(_summary(error)) from error

    def replicate(self) -> "PaddlePredictor":
        """Another predictor of the same network, for another thread.

        It shares what weights oneDNN has not reordered, gives the same bits, and outlives this
        one. This one must not be running meanwhile.
        """
        return PaddlePredictor(self._vendor.clone(), self._plainly, own_bytes=self._own_bytes)

    def close(self) -> None:
        """Free the network; see `Predictor.close`."""
        self._vendor = self._plain = None

    def _vendor_for(self, arrays: Sequence[NDArray[Any]]) -> Any:
        """Return what runs these inputs; which one that is, their shapes alone decide."""
        if self._plainly is None or not any(_is_tiny(array.shape) for array in arrays):
            return self._vendor
        if self._plain is None:
            self._plain = self._plainly()
        return self._plain

    def _bound(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The arrays of the network's inputs. A lone one may have any name: it is the image."""
        if len(self.input_names) == 1 and _IMAGE in feeds:
            return [feeds.get(self.input_names[0], feeds[_IMAGE])]
        unknown = [name for name in self.input_names if name not in feeds]
        if unknown:
            raise FatalError(
                f"the network reads {', '.join(unknown)}, which its preprocessing does not make "
                f"(it makes {', '.join(feeds)})"
            )
        return [feeds[name] for name in self.input_names]


def _is_tiny(shape: tuple[int, ...]) -> bool:
    return len(shape) == _PICTURES and min(shape[2:]) <= _TINY_SIDE


def offers() -> tuple[Offered, ...]:
    """Return what this process can run; nothing is loaded to find out."""
    offer = EngineOffer("paddle", paddle.__version__, _cpu_class(), "fp32", numerics=NUMERICS)
    return (Offered(offer, rank=_RANK),)


def ways(model_file: Path) -> tuple[Way, ...]:
    """The ways beside `Way.PLAIN` that are worth comparing with it, likely the fastest first.

    None of them is known to give other numbers for such a graph; the reasons are logged once.

    Args:
        model_file: The graph: `.json` (Paddle 3) or `.pdmodel` (Paddle 2).

    Raises:
        FatalError: the file is missing.
    """
    if not _onednn_works(paddle.__version__):
        return ()
    try:
        changed = model_file.stat().st_mtime_ns
    except OSError as error:
        raise FatalError(f"there is no model file {model_file}") from error
    return _ways(model_file, changed)


@lru_cache(maxsize=128)
def _ways(model_file: Path, _changed: int) -> tuple[Way, ...]:
    try:
        operators = read_graph(model_file)
    except FatalError as error:
        # Loading it says what is wrong, if anything is; what cannot be judged runs plainly.
        _log.warning("onednn off", model=str(model_file), reason=str(error))
        return ()
    new_ir = model_file.suffix == ".json"
    if any(operator.kind == "while" for operator in operators):
        # As those of the RCNN family do around their NMS: "expand_v2" gets a wrong shape.
        _log.warning("onednn limited", model=str(model_file), reason="fails on loops in a graph")
        # What stands in the loop is Paddle's own then.
        return (Way.ONEDNN_UNPLACED,) if new_ir else ()
    reasons = {reason for _, reason in doubted(operators, new_ir=new_ir)}
    if reasons - {TINY}:
        said = ", ".join(sorted(reasons))
        _log.info("onednn limited", model=str(model_file), reason=f"may be wrong: {said}")
        return (Way.ONEDNN_UNPLACED,)
    # Without doubts the list of operators that an older graph is held to would hold all of them.
    return (Way.ONEDNN, Way.ONEDNN_UNPLACED) if new_ir else (Way.ONEDNN,)


def load_predictor(
    model_file: Path, params_file: Path, *, profile: NetworkProfile, way: Way = Way.PLAIN
) -> PaddlePredictor:
    """Return the network, loaded and ready to run under the profile, in this way and no other.

    Args:
        model_file: The graph: `.json` (Paddle 3) or `.pdmodel` (Paddle 2).
        params_file: Its weights, `.pdiparams`.
        profile: Says the number of threads, and must be one that `offers` names.
        way: Any, though only those of `ways` may be right.

    Raises:
        FatalError: a file is missing or unusable, the profile is for another engine, or the graph
            can't be loaded in this way: oneDNN refuses that of a SOLOv2, say.
        OutOfMemoryError: there is no memory for it now.
    """
    if profile.offer not in {offered.offer for offered in offers()}:
        raise FatalError(f"this process offers {offers()} and can't run {profile}")
    for path in (model_file, params_file):
        # Paddle loads a graph without its weights in silence, and computes with nothing.
        if not path.is_file():
            raise FatalError(f"there is no model file {path}")
    try:
        make = partial(_created, model_file, params_file, profile.threads)
        weights = params_file.stat().st_size
        # oneDNN reorders weights for itself, in each predictor, and Paddle keeps its own.
        return PaddlePredictor(
            make(way),
            _plainly(model_file, way, make),
            shared_bytes=weights,
            own_bytes=0 if way is Way.PLAIN else weights,
        )
    except MemoryError as error:
        raise OutOfMemoryError(f"{model_file} does not fit into memory") from error
    except _VENDOR_ERRORS as error:
        raise FatalError(
            f"Paddle {paddle.__version__} can't load {model_file} with {params_file.name} "
            f"(way: {way}): {_summary(error)}",
            hint=_NOT_LOADED if way is Way.PLAIN else None,
        ) from error


def _created(model_file: Path, params_file: Path, threads: int, way: Way) -> Any:
    config = configuration(model_file, params_file, threads=threads, way=way)
    return paddle.inference.create_predictor(config)


def _plainly(model_file: Path, way: Way, make: Callable[[Way], Any]) -> Callable[[], Any] | None:
    """Return what loads the network for tiny pictures, if oneDNN may get those wrong."""
    if way is not Way.ONEDNN:
        return None
    doubts = doubted(read_graph(model_file), new_ir=model_file.suffix == ".json")
    return partial(make, Way.PLAIN) if TINY in {reason for _, reason in doubts} else None


def load(
    model: ModelFiles,
    profile: NetworkProfile,
    *,
    way: Way = Way.PLAIN,
    sizes: Sizes = (),
    count: int,
) -> tuple[PaddlePredictor, ...]:
    """`count` predictors of one network, one for each thread; see `load_predictor`.

    Paddle takes any shapes that the graph does: `sizes` says nothing to it.
    """
    del sizes
    first = load_predictor(model.graph, model.weights, profile=profile, way=way)
    return (first, *(first.replicate() for _ in range(count - 1)))


@cache
def _onednn_works(version: str) -> bool:
    """Return whether oneDNN can be on: since 3.3 it fails on every graph with an interpolation."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < (3, 3):
        return True
    _log.warning("onednn off", paddle=version, reason="fails on interpolation", hint="use 3.2.2")
    return False


@cache
def _cpu_class() -> str:
    """Return the instruction set that numerics depend on: kernels are chosen by it.

    oneDNN can be held below what the CPU has, the other libraries can't: a class of its own.
    """
    if paddle.base.core.supports_avx512f():
        name = "cpu-avx512"
    elif "avx2" in _cpu_flags():
        name = "cpu-avx2"
    else:
        name = f"cpu-{platform.machine().lower()}"
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return f"{name}-onednn-{limit.lower()}" if limit else name


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()  # not Linux
    return frozenset(next((line.split() for line in lines if line.startswith("flags")), ()))


def _summary(error: BaseException) -> str:
    """Return the line of Paddle's many that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and line != "In user code:"]
    named = (line for line in telling if re.match(r"\w*Error:|\(\w+\)", line))
    return next(named, telling[0] if telling else type(error).__name__)[:300]
