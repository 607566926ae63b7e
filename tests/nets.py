"""Tiny networks that truly find the blobs of `scenes`, in the layouts of the official exports.

Nothing is trained: the weights follow from what they do. A convolution turns colours into one
contrast per class, running maxima along rows and columns find where the run of one colour around
each pixel begins and ends, and pixels in the middle of both of their runs propose a box.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.scenes import LABELS, SIDE
from worker.engines.paddle.vendor import paddle

Layer: Any = paddle.nn.Layer

DETR_ROWS = 10  # an image, of which those of no blob score below 0.1

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LEAST_CONTRAST = 0.4  # a blob has 0.8, the background 0


def export_blob_detector(directory: Path) -> Path:
    """Write a detector like PP-YOLOE and PicoDet: SIDE x SIDE, NMS inside, rows [sum N, 6]."""
    image = paddle.static.InputSpec([None, 3, SIDE, SIDE], "float32", "image")
    config = _config("YOLO", target_size=[SIDE, SIDE], keep_ratio=False, interp=2)
    return _export(_BlobDetector(), [image, _pair("scale_factor")], config, directory)


def export_blob_detr(directory: Path) -> Path:
    """Write a detector like DINO: short side SIDE, DETR_ROWS rows an image, no NMS.

    Its boxes are parts of the picture that it got, so one that was padded displaces them.
    """
    image = paddle.static.InputSpec([None, 3, None, None], "float32", "image")
    config = _config("DETR", target_size=[SIDE, SIDE * 5 // 3], keep_ratio=True, interp=1)
    spec = [_pair("im_shape"), image, _pair("scale_factor")]
    return _export(_BlobDetr(), spec, config, directory)


def export_blob_segmenter(directory: Path) -> Path:
    """Write a segmentation model as PaddleSeg does: SIDE x SIDE, scores, class 0 is background."""
    return _export_segmenter(_BlobSegmenter(), directory)


def export_coarse_segmenter(directory: Path) -> Path:
    """Write the same, but for scores that are enlarged eightfold from corner to corner.

    oneDNN ignores that corners are aligned, and would move the edges of blobs.
    """
    return _export_segmenter(_CoarseSegmenter(), directory)


def _export_segmenter(layer: Any, directory: Path) -> Path:
    image = paddle.static.InputSpec([None, 3, SIDE, SIDE], "float32", "x")
    transforms = [
        {"type": "Resize", "target_size": [SIDE, SIDE]},
        {"type": "Normalize", "mean": list(_MEAN), "std": list(_STD)},
    ]
    labels = ["background", *LABELS]
    config = {"Deploy": {"transforms": transforms, "output_op": "none", "label_list": labels}}
    return _export(layer, [image], config, directory, "deploy.yaml")


def export_blob_classifier(directory: Path) -> Path:
    """Write a classifier of many labels as PaddleClas does: which colours occur."""
    image = paddle.static.InputSpec([None, 3, SIDE, SIDE], "float32", "x")
    steps = [
        {"ResizeImage": {"size": [SIDE, SIDE]}},
        {"NormalizeImage": {"mean": list(_MEAN), "std": list(_STD), "order": ""}},
        {"ToCHWImage": None},
    ]
    post = {"MultiLabelThreshOutput": {"threshold": 0.5, "label_list": list(LABELS)}}
    config = {"PreProcess": {"transform_ops": steps}, "PostProcess": post}
    return _export(_BlobClassifier(), [image], config, directory, "inference.yml")


class _Contrast(Layer):  # type: ignore[misc]
    """Normalized RGB [B,3,H,W] -> a contrast per class [B,3,H,W]: 0.8 in blobs, else about 0."""

    def __init__(self) -> None:
        super().__init__()
        # A class's contrast is its channel less the mean of the others, colours being 0 to 1.
        mix = 1.5 * np.eye(3) - 0.5
        self.mix = paddle.nn.Conv2D(3, 3, 1)
        self.mix.weight.set_value((mix * _STD)[:, :, None, None].astype("float32"))
        self.mix.bias.set_value((mix @ _MEAN).astype("float32"))

    def forward(self, image: Any) -> Any:
        return self.mix(image)


class _BlobSegmenter(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> Any:
        contrast = self.contrast(image)
        background = paddle.full_like(contrast[:, :1], _LEAST_CONTRAST)
        return paddle.concat([background, contrast], 1)


class _CoarseSegmenter(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.segmenter = _BlobSegmenter()

    def forward(self, image: Any) -> Any:
        coarse = paddle.nn.functional.avg_pool2d(self.segmenter(image), 8)
        return paddle.nn.functional.interpolate(
            coarse, size=[SIDE, SIDE], mode="bilinear", align_corners=True
        )


class _BlobClassifier(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> Any:
        strongest = paddle.max(self.contrast(image), axis=[2, 3])
        return paddle.nn.functional.sigmoid(20 * (strongest - _LEAST_CONTRAST))


class _Proposals(Layer):  # type: ignore[misc]
    """Normalized RGB [B,3,H,W] -> contrasts [B,3,H*W], boxes [B,H*W,4] in pixels, and how far each
    pixel is from the middle of its runs, in half pixels along x and y, each [B,1,H*W].
    """

    def __init__(self) -> None:
        super().__init__()
        self.contrast = _Contrast()

    def forward(self, image: Any) -> tuple[Any, Any, Any, Any]:
        contrast = self.contrast(image)
        highest = paddle.max(contrast, axis=1, keepdim=True)
        inside = paddle.cast(highest > _LEAST_CONTRAST, "float32")
        x1, x2, columns = _runs(inside, axis=3)
        y1, y2, rows = _runs(inside, axis=2)
        return (
            paddle.flatten(contrast * inside, 2),
            paddle.flatten(paddle.stack([x1, y1, x2, y2], -1), 1, 3),
            paddle.flatten(x1 + x2 - 1 - 2 * columns, 2),
            paddle.flatten(y1 + y2 - 1 - 2 * rows, 2),
        )


class _BlobDetector(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.proposals = _Proposals()

    def forward(self, image: Any, scale_factor: Any) -> tuple[Any, Any]:
        contrast, boxes, beside_x, beside_y = self.proposals(image)
        beside = paddle.maximum(paddle.abs(beside_x), paddle.abs(beside_y))
        scores = contrast * paddle.cast(beside <= 3, "float32") * (1 - 0.05 * beside)
        boxes = boxes / _xyxy(scale_factor)
        rows, _, counts = paddle._C_ops.multiclass_nms3(
            boxes, scores, None, 0.1, 400, 100, 0.5, True, 1.0, -1
        )
        return rows, counts


class _BlobDetr(Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.proposals = _Proposals()

    def forward(self, im_shape: Any, image: Any, scale_factor: Any) -> tuple[Any, Any]:
        contrast, boxes, beside_x, beside_y = self.proposals(image)
        # of the two middle pixels of an even run, one
        middle = (beside_x >= 0) & (beside_x <= 1) & (beside_y >= 0) & (beside_y <= 1)
        scores = contrast * (0.1 + 0.9 * paddle.cast(middle, "float32"))
        top, index = paddle.topk(paddle.flatten(scores, 1), DETR_ROWS, axis=1)
        pixels = paddle.shape(boxes)[1]
        boxes = paddle.take_along_axis(boxes, (index % pixels).unsqueeze(-1).expand([-1, -1, 4]), 1)
        got = paddle.cast(paddle.shape(image)[2:], "float32").unsqueeze(0)
        boxes = boxes / _xyxy(got) * _xyxy(paddle.floor(im_shape / scale_factor + 0.5))
        classes = paddle.cast(index // pixels, "float32")
        rows = paddle.concat([classes.unsqueeze(-1), top.unsqueeze(-1), boxes], -1)
        counts = paddle.full([1], DETR_ROWS, "int32").expand([paddle.shape(image)[0]])
        return paddle.reshape(rows, [-1, 6]), counts


def _runs(inside: Any, axis: int) -> tuple[Any, Any, Any]:
    """First and last+1 position of the run of `inside` around each pixel, and its own position."""
    position = paddle.cumsum(paddle.ones_like(inside), axis=axis) - 1
    length = paddle.cast(paddle.shape(inside)[axis], "float32")
    outside = (position + 1) * (1 - inside)
    first = paddle.cummax(outside, axis=axis)[0]
    turned = (position + 1) * (1 - paddle.flip(inside, axis))
    return first, length - paddle.flip(paddle.cummax(turned, axis=axis)[0], axis), position


def _xyxy(height_width: Any) -> Any:
    """[B,2] of (y, x) as [B,1,4] of (x, y, x, y)."""
    turned = paddle.flip(height_width, 1)
    return paddle.concat([turned, turned], 1).unsqueeze(1)


def _pair(name: str) -> Any:
    return paddle.static.InputSpec([None, 2], "float32", name)


def _config(arch: str, **resize: Any) -> dict[str, Any]:
    return {
        "mode": "paddle",
        "draw_threshold": 0.5,
        "metric": "COCO",
        "use_dynamic_shape": bool(resize["keep_ratio"]),
        "arch": arch,
        "min_subgraph_size": 3,
        "Preprocess": [
            {"type": "Resize", **resize},
            {
                "type": "NormalizeImage",
                "is_scale": True,
                "mean": list(_MEAN),
                "std": list(_STD),
            },
            {"type": "Permute"},
        ],
        "label_list": list(LABELS),
    }


def _export(
    layer: Any,
    spec: list[Any],
    config: dict[str, Any],
    directory: Path,
    config_name: str = "infer_cfg.yml",
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    layer.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Paddle's own, about its own API
        paddle.jit.save(layer, str(directory / "model"), input_spec=spec)
    (directory / config_name).write_text(yaml.safe_dump(config, sort_keys=False))
    return directory
