"""The adapter for Paddle's own inference engine, on the CPU."""

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
from core.numerics import REVISIONS
from core.profile import EngineOffer, NetworkProfile, Offered
from core.ways import Way
from worker.engines.paddle.configuration import configuration
from worker.engines.paddle.doubts import TINY, doubted
from worker.engines.paddle.graph import read_graph
from worker.engines.paddle.vendor import paddle
from worker.engines.paddle.weights import check_weights
from worker.engines.protocol import LoadError, ModelFiles, OutOfMemoryError, PredictError, Sizes

_log = structlog.get_logger()

# What Paddle's C++ errors become in Python; MemoryError is caught before these.
_VENDOR_ERRORS = (IndexError, OSError, RuntimeError, SystemError, TypeError, ValueError)

# All that arrives of anything oneDNN throws. Shapes and types are checked before oneDNN sees them,
# so if anything can be done about it, the cause is memory.
_NAMELESS = "std::exception"

_IMAGE = "image"

_PICTURES = 4  # dimensions: [B,C,H,W]

# Networks halve their maps at most six times: no map of a larger picture has a one-pixel side.
_TINY_SIDE = 64

_NOT_LOADED = "a damaged download, or an export by a newer Paddle: export it again"

_NAME = "paddle"
_RANK = 1.0  # by definition: the unit for other engines and devices


class PaddlePredictor:
    """A network in Paddle Inference; see `Predictor` for its contract."""

    def __init__(
        self,
        vendor: Any,
        plainly: Callable[[], Any] | None = None,
        *,
        shared_bytes: int = 0,
        own_bytes: int = 0,
    ) -> None:
        """Take over Paddle's predictor.

        Args:
            vendor: Paddle's predictor.
            plainly: Loads the network in the plain way, for pictures too small for this one.
            shared_bytes: Memory that its replicas share.
            own_bytes: Memory that each replica needs on top.
        """
        self._vendor = vendor
        self._plainly = plainly
        self._own_bytes = own_bytes
        self.memory_bytes = shared_bytes + own_bytes
        self._plain: Any = None
        self._largest = 0
        self.input_names: tuple[str, ...] = tuple(vendor.get_input_names())
        self._output_names = tuple(vendor.get_output_names())

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one batch; see `Predictor.predict`."""
        arrays = [np.ascontiguousarray(array) for array in self._bound(feeds)]
        try:
            vendor = self._vendor_for(arrays)
            self._make_way_for(arrays)
            for name, array in zip(self.input_names, arrays, strict=True):
                vendor.get_input_handle(name).copy_from_cpu(array)
            vendor.run()
            return [vendor.get_output_handle(name).copy_to_cpu() for name in self._output_names]
        except MemoryError as error:
            raise OutOfMemoryError(_summary(error)) from error
        except _VENDOR_ERRORS as error:
            many = any(len(array) > 1 for array in arrays)
            if many and str(error) == _NAMELESS:
                raise OutOfMemoryError("oneDNN failed, most likely for lack of memory") from error
            raise PredictError(_summary(error)) from error

    def replicate(self) -> "PaddlePredictor":
        """Return another predictor of the same network, for another thread.

        It shares the weights that oneDNN hasn't reordered, gives the same bits, and may outlive
        this one, which must not be running meanwhile.
        """
        return PaddlePredictor(self._vendor.clone(), self._plainly, own_bytes=self._own_bytes)

    def close(self) -> None:
        """Free the network; see `Predictor.close`."""
        self._vendor = self._plain = None

    def _vendor_for(self, arrays: Sequence[NDArray[Any]]) -> Any:
        """Return the predictor for these inputs; their shapes alone decide which."""
        if self._plainly is None or not any(_is_tiny(array.shape) for array in arrays):
            return self._vendor
        if self._plain is None:
            self._plain = self._plainly()
        return self._plain

    def _make_way_for(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Free the intermediate results of smaller batches before a larger one than ever.

        Paddle keeps a buffer for each of them and replaces those that are too small one by one.
        """
        size = sum(array.nbytes for array in arrays)
        if size > self._largest:
            if self._largest:
                for one in filter(None, (self._vendor, self._plain)):
                    one.clear_intermediate_tensor()
            self._largest = size

    def _bound(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the arrays for the network's inputs; a sole input of any name is the image."""
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
    """Return what this process can run, without loading anything."""
    numerics = REVISIONS[_NAME]
    offer = EngineOffer(_NAME, paddle.__version__, _cpu_class(), "fp32", numerics=numerics)
    return (Offered(offer, rank=_RANK),)


def ways(model_file: Path) -> tuple[Way, ...]:
    """Return the ways worth comparing with `Way.PLAIN`, probably fastest first.

    None of them is known to give different numbers for such a graph; why others are left out is
    logged once.

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
        # If the graph is broken, loading it will say so; a graph that can't be judged runs plainly.
        _log.warning("onednn off", model=str(model_file), reason=str(error))
        return ()
    new_ir = model_file.suffix == ".json"
    if any(operator.kind == "while" for operator in operators):
        # As in the RCNN family around NMS: "expand_v2" gets a wrong shape.
        _log.warning("onednn limited", model=str(model_file), reason="fails on loops in a graph")
        # Paddle's own kernels then run everything inside the loop.
        return (Way.ONEDNN_UNPLACED,) if new_ir else ()
    reasons = {reason for _, reason in doubted(operators, new_ir=new_ir)}
    if reasons - {TINY}:
        said = ", ".join(sorted(reasons))
        _log.info("onednn limited", model=str(model_file), reason=f"may be wrong: {said}")
        return (Way.ONEDNN_UNPLACED,)
    # Without doubts, the list that an older graph is restricted to would hold every operator.
    return (Way.ONEDNN, Way.ONEDNN_UNPLACED) if new_ir else (Way.ONEDNN,)


def load_predictor(
    model_file: Path, params_file: Path, *, profile: NetworkProfile, way: Way = Way.PLAIN
) -> PaddlePredictor:
    """Return the network, loaded and ready to run under the profile in exactly this way.

    Args:
        model_file: The graph: `.json` (Paddle 3) or `.pdmodel` (Paddle 2).
        params_file: Its weights, `.pdiparams`.
        profile: Says the number of threads, and must be one that `offers` names.
        way: Any way, though only those that `ways` returns may be right.

    Raises:
        FatalError: a file is missing or unusable, or the profile is for another engine.
        LoadError: the graph can't be loaded in this way (oneDNN refuses SOLOv2's, for example).
        OutOfMemoryError: there isn't enough memory right now.
    """
    if profile.offer not in {offered.offer for offered in offers()}:
        raise FatalError(f"this process offers {offers()} and can't run {profile}")
    for path in (model_file, params_file):
        # Paddle silently loads a graph without its weights, and computes without them.
        if not path.is_file():
            raise FatalError(f"there is no model file {path}")
    check_weights(params_file)
    try:
        make = partial(_created, model_file, params_file, profile.threads)
        weights = params_file.stat().st_size
        # oneDNN keeps a reordered copy of the weights in each predictor, beside Paddle's own.
        return PaddlePredictor(
            make(way),
            _plainly(model_file, way, make),
            shared_bytes=weights,
            own_bytes=0 if way is Way.PLAIN else weights,
        )
    except MemoryError as error:
        raise OutOfMemoryError(f"{model_file} does not fit into memory") from error
    except _VENDOR_ERRORS as error:
        raise LoadError(
            profile.offer.key,
            f"Paddle {paddle.__version__} can't load {model_file} with {params_file.name} "
            f"(way: {way}): {_summary(error)}",
            hint=_NOT_LOADED if way is Way.PLAIN else None,
        ) from error


def _created(model_file: Path, params_file: Path, threads: int, way: Way) -> Any:
    config = configuration(model_file, params_file, threads=threads, way=way)
    return paddle.inference.create_predictor(config)


def _plainly(model_file: Path, way: Way, make: Callable[[Way], Any]) -> Callable[[], Any] | None:
    """Return a loader for the plain network, if oneDNN may get tiny pictures wrong."""
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
    """Return `count` predictors of one network, one per thread; see `load_predictor`.

    Paddle accepts whatever shapes the graph does, so `sizes` is ignored.
    """
    del sizes
    first = load_predictor(model.graph, model.weights, profile=profile, way=way)
    return (first, *(first.replicate() for _ in range(count - 1)))


@cache
def _onednn_works(version: str) -> bool:
    """Return whether oneDNN is usable: since Paddle 3.3 it fails on every interpolation."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < (3, 3):
        return True
    _log.warning("onednn off", paddle=version, reason="fails on interpolation", hint="use 3.2.2")
    return False


@cache
def _cpu_class() -> str:
    """Return the instruction set, by which kernels are chosen and on which numerics depend.

    oneDNN can be limited to less than the CPU has while the other libraries can't: that makes a
    class of its own.
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
    """Return the one line of Paddle's message that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and line != "In user code:"]
    named = (line for line in telling if re.match(r"\w*Error:|\(\w+\)", line))
    return next(named, telling[0] if telling else type(error).__name__)[:300]
