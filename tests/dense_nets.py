"""Tiny networks like those of `nets`, in the layouts of exports that answer for each pixel."""

from pathlib import Path
from typing import Any

from tests.nets import (
    _LEAST_CONTRAST,
    _MEAN,
    _STD,
    _BlobDetector,
    _config,
    _Contrast,
    _export,
    _pair,
)
from tests.scenes import LABELS, SIDE
from worker.engines.paddle.vendor import paddle

Layer: Any = paddle.nn.Layer

_NORMALIZE = {"type": "Normalize", "mean": list(_MEAN), "std": list(_STD)}
_RESIZE = {"type": "Resize", "target_size": [SIDE, SIDE]}


def export_blob_masks(directory: Path, arch: str) -> Path:
    """Write an instance segmentation model: arch RCNN like Mask R-CNN, SOLOv2 like that one."""
    image = paddle.static.InputSpec([None, 3, SIDE, SIDE], "float32", "image")
    config = _config(arch, target_size=[SIDE, SIDE], keep_ratio=False, interp=2) | {"mask": True}
    spec = [_pair("im_shape"), image, _pair("scale_factor")]
    return _export(_BlobMasks(has_boxes=arch == "RCNN"), spec, config, directory)


def export_blob_matting(directory: Path) -> Path:
    """Write a matting model as PaddleSeg's Matting does: blobs are in front."""
    image = paddle.static.InputSpec([None, 3, None, None], "float32", "img")
    steps = [
        {"type": "LoadImages"},
        {"type": "LimitShort", "max_short": SIDE},
        {"type": "ResizeToIntMult", "mult_int": 32},
    ]
    config = {"Deploy": {"transforms": [*steps, _NORMALIZE]}, "ModelName": "PPMatting"}
    return _export(_BlobMatting(), [image], config, directory, "deploy.yaml")


def export_blob_panoptic(directory: Path) -> Path:
    """Write a panoptic model as PaddleSeg's PanopticSeg does: stuff, and a thing a colour."""
    image = paddle.static.InputSpec([1, 3, SIDE, SIDE], "float32", "x")
    transforms = [_RESIZE, _NORMALIZE, {"type": "Collect", "keys": ["img"]}]
    config = {"Deploy": {"transforms": transforms, "label_list": ["background", *LABELS]}}
    return _export(_BlobPanoptic(), [image], config, directory, "deploy.yaml")


def export_blob_foreground(directory: Path) -> Path:
    """Write a segmentation model of two classes without names: blobs are the second."""
    image = paddle.static.InputSpec([None, 3, SIDE, SIDE], "float32", "x")
    config = {"Deploy": {"transforms": [_RESIZE, _NORMALIZE], "output_op": "none"}}
    return _export(_BlobForeground(), [image], config, directory, "deploy.yaml")


def export_blob_people(directory: Path) -> Path:
    """Write a bottom-up keypoint model like HigherHRNet: a blob of each colour is a joint."""
    image = paddle.static.InputSpec([1, 3, None, None], "float32", "image")
    normalize = {"type": "NormalizeImage", "mean": list(_MEAN), "std": list(_STD)}
    steps = [{"type": "EvalAffine", "size": SIDE}, normalize, {"type": "Permute"}]
    config = {"arch": "HigherHRNet", "Preprocess": steps, "label_list": ["person"]}
    return _export(_BlobPeople(), [image], config, directory)


class _BlobMasks(Layer):  # type: ignore[misc]
    """As Mask R-CNN's export, which says something of an image without objects, too."""

    def __init__(self, *, has_boxes: bool) -> None:
        super().__init__()
        self.detector = _BlobDetector()
        self.has_boxes = has_boxes

    def forward(self, im_shape: Any, image: Any, scale_factor: Any) -> Any:
        rows, counts = self.detector(image, scale_factor)
        dummy = paddle.to_tensor([[0.0, 0.0, 0.0, 0.0, 1.0, 1.0]], "float32")
        rows, counts = paddle.concat([rows, dummy]), counts + 1
        size = paddle.cast(paddle.floor(im_shape / scale_factor + 0.5), "int32")[0]
        contrast = paddle.nn.functional.interpolate(
            self.detector.proposals.contrast(image), size=[size[0], size[1]], mode="bilinear"
        )
        mine = paddle.gather(contrast[0], paddle.cast(rows[:, 0], "int32"))
        y, x = (paddle.cast(paddle.arange(side), "float32") for side in (size[0], size[1]))
        x, y = x.reshape([1, 1, -1]), y.reshape([1, -1, 1])
        x1, y1, x2, y2 = (rows[:, edge].reshape([-1, 1, 1]) for edge in range(2, 6))
        masks = (mine > _LEAST_CONTRAST) & (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
        if self.has_boxes:
            return rows, counts, paddle.cast(masks, "int32")
        return paddle.cast(masks, "uint8"), counts, paddle.cast(rows[:, 0], "int64"), rows[:, 1]


class _BlobMatting(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> Any:
        strongest = paddle.max(self.contrast(image), axis=1, keepdim=True)
        return paddle.clip(strongest / (2 * _LEAST_CONTRAST), 0, 1)


class _BlobForeground(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> Any:
        strongest = paddle.max(self.contrast(image), axis=1, keepdim=True)
        return paddle.concat([paddle.full_like(strongest, _LEAST_CONTRAST), strongest], 1)


class _BlobPanoptic(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> Any:
        contrast = self.contrast(image)
        is_blob = paddle.max(contrast, axis=1, keepdim=True) > _LEAST_CONTRAST
        things = (paddle.argmax(contrast, axis=1, keepdim=True) + 2) * 1000 + 1
        return paddle.where(is_blob, things, paddle.full_like(things, 1000))


class _BlobPeople(Layer):  # type: ignore[misc]
    """As HigherHRNet's export: heatmaps, tags, each joint's best peaks. All are one person's."""

    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> Any:
        pool = paddle.nn.functional.avg_pool2d
        # Twice the mean around each pixel: highest in the middle of a blob, and nowhere else.
        soft = pool(pool(paddle.clip(self.contrast(image), 0), 15, 1, 7), 15, 1, 7)
        heat = paddle.sqrt(soft)
        peaks = heat * paddle.cast(
            heat == paddle.nn.functional.max_pool2d(heat, 5, 1, 2), "float32"
        )
        scores, places = paddle.topk(peaks.reshape([1, len(LABELS), -1]), 4)
        return heat, paddle.zeros_like(heat).unsqueeze(4), scores, places
