"""Pictures of many sizes become what the official tools make of them, and their maps come back.

The lists of steps are of the kinds that the tools' configurations have. See `official_tools`.
"""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import paddle
import pytest
from numpy.typing import NDArray

from tests.golden.official_tools import PADDLEDETECTION, PADDLESEG, imported
from vision.ops.matting import parse_matting, restored_alpha
from vision.ops.op_list import parse_ops
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.segmentation import parse_transforms, restored

SIZES = [(480, 640), (641, 480), (333, 500), (37, 501), (500, 500), (719, 1283), (96, 64)]
Steps = list[dict[str, Any]]

NORMALIZE = {"type": "NormalizeImage", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
PERMUTE = {"type": "Permute"}
DETECTION: list[Steps] = [
    [{"type": "Resize", "target_size": [320, 320], "keep_ratio": False, "interp": 2}],
    [{"type": "Resize", "target_size": [416, 640], "keep_ratio": False, "interp": 1}],
    [{"type": "Resize", "target_size": [800, 1333], "keep_ratio": True, "interp": 1}],
    [{"type": "Resize", "target_size": [640, 640], "keep_ratio": True, "interp": 2}],
    [{"type": "LetterBoxResize", "target_size": [608, 1088]}],
    [
        {"type": "Resize", "target_size": [640, 640], "keep_ratio": True, "interp": 1},
        {"type": "Pad", "size": [640, 640], "fill_value": [114.0, 114.0, 114.0]},
    ],
]
MATTING: list[Steps] = [
    [{"type": "Resize", "target_size": [512, 512]}],
    [{"type": "ResizeByShort", "short_size": 512}, {"type": "ResizeToIntMult", "mult_int": 32}],
    [{"type": "ResizeByLong", "long_size": 512}, {"type": "Padding", "target_size": [512, 512]}],
    [
        {"type": "LimitShort", "max_short": 512, "min_short": 256},
        {"type": "ResizeToIntMult", "mult_int": 32},
    ],
    [{"type": "LimitLong", "max_long": 700}, {"type": "ResizeToIntMult", "mult_int": 32}],
]
SEGMENTATION: list[Steps] = [
    [],
    [{"type": "Resize", "target_size": [398, 224]}],
    [{"type": "Resize", "target_size": [512, 512], "interp": "NEAREST"}],
    [{"type": "Resize", "target_size": [2048, 512], "keep_ratio": True, "size_divisor": 32}],
    [{"type": "Resize", "target_size": [512, 512], "keep_ratio": True}],
    [{"type": "ResizeByLong", "long_size": 769}, {"type": "Padding", "target_size": [1024, 1024]}],
    [{"type": "ResizeByShort", "short_size": 300}],
    [{"type": "LimitLong", "max_long": 600, "min_long": 300}],
    [{"type": "PaddingByAspectRatio", "aspect_ratio": 1.7777}],
]


def _named(steps: Steps) -> str:
    return "+".join(str(step["type"]) for step in steps) or "as it is"


@cache
def module(name: str, *folders: Path) -> ModuleType:
    if not folders[-1].is_dir():
        pytest.skip(f"no {folders[-1]}")
    return imported(name, *folders)


def picture(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Noise, some of it smooth."""
    random = np.random.default_rng(size[0])
    coarse = cv2.resize(random.integers(0, 256, (9, 13, 3), np.uint8), size[::-1])
    return np.asarray(coarse // 2 + random.integers(0, 128, (*size, 3)), np.uint8)


def written(image: NDArray[np.uint8], folder: Path) -> str:
    path = folder / "picture.png"
    assert cv2.imwrite(str(path), image)
    return str(path)


def map_of(prepared: Prepared) -> NDArray[np.float32]:
    """A smooth map of 0 to 1 as large as the graph's input."""
    height, width = prepared.image.shape[1:]
    coarse = np.random.default_rng(1).random((8, 8), np.float32)
    smooth: NDArray[np.float32] = cv2.resize(coarse, (width, height))
    return smooth


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", DETECTION, ids=_named)
@pytest.mark.parametrize("norm", ["mean_std", "none"])
@pytest.mark.parametrize("stride", [0, 32])
def test_detectors_are_shown_the_same(
    steps: Steps, size: tuple[int, int], norm: str, stride: int, tmp_path: Path
) -> None:
    tool = module("preprocess", PADDLEDETECTION / "deploy/python")
    steps = [*steps, {**NORMALIZE, "norm_type": norm}, PERMUTE]
    steps += [{"type": "PadStride", "stride": stride}] if stride else []
    image = picture(size)
    theirs = [
        getattr(tool, step["type"])(**{key: step[key] for key in step if key != "type"})
        for step in deepcopy(steps)
    ]
    expected, info = tool.preprocess(written(image, tmp_path), theirs)
    prepared = Preprocessor(parse_ops(steps))(image)
    assert np.array_equal(prepared.image, expected)
    assert prepared.scale_factor.tolist() == np.float32(info["scale_factor"]).tolist()
    assert prepared.im_shape.tolist() == np.float32(info["im_shape"]).tolist()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", SEGMENTATION, ids=_named)
def test_segmenters_are_shown_the_same_and_labels_come_back(
    steps: Steps, size: tuple[int, int], tmp_path: Path
) -> None:
    steps = [*steps, {"type": "Normalize"}]
    image = picture(size)
    tool = module("paddleseg.deploy.infer", PADDLESEG)
    compose = tool.DeployConfig.load_transforms(deepcopy(steps))
    told = compose({"img": written(image, tmp_path)})
    prepared = Preprocessor(parse_transforms(steps))(image)
    assert np.array_equal(prepared.image, told["img"])

    labels = (map_of(prepared) * 8).astype(np.int32)
    back = module("paddleseg.core.infer", PADDLESEG).reverse_transform
    expected = back(paddle.to_tensor(labels[None, None]), told["trans_info"], mode="nearest")
    apart = restored(labels, prepared.im_shape, size) != expected.numpy()[0, 0]
    # Where a pixel begins with one of the map's to the bit, it is rounding that decides.
    rows, columns = (
        np.arange(side) * int(inner) % side == 0
        for side, inner in zip(size, prepared.im_shape, strict=True)
    )
    assert not (apart & ~(rows[:, None] | columns)).any()
    assert apart.mean() <= 0.005


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", MATTING, ids=_named)
def test_matting_models_are_shown_the_same_and_alpha_comes_back(
    steps: Steps, size: tuple[int, int], tmp_path: Path
) -> None:
    steps = [{"type": "LoadImages"}, *steps, {"type": "Normalize"}]
    image = picture(size)
    folders: Sequence[Path] = (PADDLESEG / "Matting/deploy/python", PADDLESEG / "Matting")
    tool = module("infer", *folders, PADDLESEG)
    compose = tool.DeployConfig.load_transforms(deepcopy(steps))
    told = compose({"img": written(image, tmp_path)})
    ops = parse_matting(steps)
    prepared = Preprocessor(ops)(image)
    assert np.array_equal(prepared.image, told["img"])

    alpha = map_of(prepared)
    expected = tool.Predictor._postprocess(None, alpha.copy(), told["trans_info"])
    assert np.array_equal(restored_alpha(alpha, ops, size), expected)
