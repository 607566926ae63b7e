"""The official tools as they are, imported from their checkouts, to run beside Regatta.

REGATTA_PADDLEDETECTION and REGATTA_PADDLESEG name the checkouts. What their modules import and is
not installed here has a stand-in: nothing of it takes part in inference.
"""

import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import paddle.inference as paddle_infer
from numpy.typing import NDArray

PADDLEDETECTION = Path(os.environ.get("REGATTA_PADDLEDETECTION", "/nowhere"))
PADDLESEG = Path(os.environ.get("REGATTA_PADDLESEG", "/nowhere"))
_create_predictor = paddle_infer.create_predictor


class _Config(paddle_infer.Config):  # type: ignore[misc]
    """Paddle's, with what the tools don't know of Paddle 3.

    Its graphs end in `.json`, need another executor, and would run on oneDNN without being told to:
    some of its kernels are wrong, so that nobody would notice that Regatta's answers are, too.
    """

    def __init__(self, model: str, params: str) -> None:
        written = Path(model).with_suffix(".json")
        super().__init__(str(written) if written.is_file() else model, params)
        self.disable_mkldnn()

    def enable_memory_optim(self) -> None:
        """Ask for the executor that such graphs need for it."""
        self.enable_new_executor()
        super().enable_memory_optim()


def _created(config: paddle_infer.Config) -> Any:
    """The predictor that a tool asks for, if whatever it set before has left oneDNN off."""
    assert not config.mkldnn_enabled()
    return _create_predictor(config)


@contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    """While `folders` come first; what was imported of them is forgotten: `utils`, `infer` ..."""
    places = [str(folder) for folder in folders]
    sys.path[:0] = places
    try:
        with (
            warnings.catch_warnings(),
            mock.patch.multiple(paddle_infer, Config=_Config, create_predictor=_created),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        del sys.path[: len(places)]
        _forget(folders)


def _forget(folders: Sequence[Path]) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        known = isinstance(file, str) and any(Path(file).is_relative_to(one) for one in folders)
        if known or isinstance(module, mock.MagicMock):
            del sys.modules[name]


def imported(name: str, *folders: Path) -> ModuleType:
    """A module found in `folders`, loaded anew."""
    stand_ins: set[str] = set()
    with _importable(folders):
        while True:
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name is None or error.name in stand_ins:
                    raise
                _forget(folders)
                stand_ins.add(error.name)
                sys.modules.update({one: mock.MagicMock() for one in stand_ins})


def outputs_of(predictor: Any) -> list[NDArray[Any]]:
    """What a Paddle predictor answered last."""
    return [
        predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()
    ]
