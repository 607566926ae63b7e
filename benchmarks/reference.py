"""The pipeline's work without the pipeline: plain calls of cv2, numpy and Paddle in sequence.

The pipeline is compared with the cost of these functions. None of them is Regatta's, so that slow
code of Regatta's can't hide. They support detectors whose preprocessing is a resize to a fixed
size, a normalization and a permutation.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle.inference
import yaml
from numpy.typing import NDArray

_COLOURS = ((60, 60, 220), (60, 200, 60), (220, 120, 40), (40, 180, 220), (200, 60, 180))


def read(path: Path) -> NDArray[np.uint8]:
    """Read a file's bytes."""
    return np.fromfile(path, np.uint8)


def decode(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Decode a picture, blue first."""
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def write(path: Path, data: NDArray[np.uint8]) -> None:
    """Write bytes to a file."""
    data.tofile(path)


def encode(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode a picture as a JPEG in full colour resolution, as Regatta does."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return np.asarray(cv2.imencode(".jpg", image, options)[1])


class Reference:
    """One thread's predictor and the functions around it; `seconds` adds up CPU by function.

    `onednn` lets oneDNN compute what it can. Some of that is wrong: callers must know that it is
    right for this network.
    """

    def __init__(self, model: Path, batch: int, *, onednn: bool = False) -> None:
        config = yaml.safe_load((model / "infer_cfg.yml").read_text(encoding="utf-8"))
        self._labels: Sequence[str] = config["label_list"]
        self._threshold = float(config["draw_threshold"])
        self._resize, normalize = _fixed(config["Preprocess"])
        self._factor, self._offset = _linear(normalize)
        self._batch = batch
        self._predictor = _predictor(model, onednn=onednn)
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def run(self, paths: Sequence[Path], pictures: Path | None, quality: int = 90) -> int:
        """Run the model over files, drawing into `pictures` if given; return how much it found."""
        found = 0
        for start in range(0, len(paths), self._batch):
            batch = paths[start : start + self._batch]
            with self._counted("read"):
                data = [read(path) for path in batch]
            with self._counted("decode"):
                images = [decode(content) for content in data]
            with self._counted("prepare"):
                feeds = self.prepare(images)
            with self._counted("predict"):
                outputs = self.predict(feeds)
            with self._counted("select"):
                boxes = self.select(outputs, len(batch))
            found += sum(map(len, boxes))
            if pictures is None:
                continue
            with self._counted("draw"):
                drawn = [self.draw(*pair) for pair in zip(images, boxes, strict=True)]
            with self._counted("encode"):
                encoded = [encode(image, quality) for image in drawn]
            with self._counted("write"):
                for path, content in zip(batch, encoded, strict=True):
                    write(pictures / path.name, content)
        return found

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Return a batch of network inputs."""
        height, width = self._resize["target_size"]
        inputs, factors = [], []
        for image in images:
            small = cv2.resize(image, (width, height), interpolation=self._resize["interp"])
            planes = np.empty((3, height, width), np.float32)
            for channel in range(3):
                plane = planes[channel]
                np.multiply(small[:, :, 2 - channel], self._factor[channel], out=plane)
                np.subtract(plane, self._offset[channel], out=plane)
            inputs.append(planes)
            factors.append((height / image.shape[0], width / image.shape[1]))
        return {
            "image": np.stack(inputs),
            "scale_factor": np.array(factors, np.float32),
            "im_shape": np.array([(height, width)] * len(images), np.float32),
        }

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the network's outputs."""
        for name in self._predictor.get_input_names():
            self._predictor.get_input_handle(name).copy_from_cpu(feeds[name])
        self._predictor.run()
        names = self._predictor.get_output_names()
        return [self._predictor.get_output_handle(name).copy_to_cpu() for name in names]

    def select(self, outputs: Sequence[NDArray[Any]], images: int) -> list[NDArray[np.float32]]:
        """Return each image's rows (class, score, box) above the threshold."""
        rows = np.split(outputs[0], np.cumsum(outputs[1])[: images - 1])
        return [each[each[:, 1] >= self._threshold] for each in rows]

    def draw(self, image: NDArray[np.uint8], rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the picture with boxes and labels."""
        for label, score, x1, y1, x2, y2 in rows.tolist():
            colour = _COLOURS[int(label) % len(_COLOURS)]
            corner = (round(x1), round(y1))
            cv2.rectangle(image, corner, (round(x2), round(y2)), colour, 2)
            text = f"{self._labels[int(label)]} {score:.2f}"
            cv2.putText(image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
        return image

    @contextmanager
    def _counted(self, function: str) -> Iterator[None]:
        begun = time.thread_time()
        yield
        self.seconds[function] += time.thread_time() - begun


def _fixed(
    operators: Sequence[Mapping[str, Any]],
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Return the resize and the normalization, if there is nothing else but a permutation."""
    by_type = {operator["type"]: operator for operator in operators}
    unknown = by_type.keys() - {"Resize", "NormalizeImage", "Permute"}
    if unknown or "Resize" not in by_type or by_type["Resize"]["keep_ratio"]:
        raise SystemExit(f"the reference functions know no preprocessing by {list(by_type)}")
    return by_type["Resize"], by_type.get("NormalizeImage")


def _linear(
    normalize: Mapping[str, Any] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return normalization as a factor for each channel, and what is subtracted afterwards."""
    told = normalize or {"is_scale": False, "norm_type": "none"}
    scale = 1 / 255 if told.get("is_scale", True) else 1.0
    if told.get("norm_type", "mean_std") != "mean_std":
        return np.full(3, scale, np.float32), np.zeros(3, np.float32)
    mean, std = np.array(told["mean"], np.float32), np.array(told["std"], np.float32)
    return (scale / std).astype(np.float32), (mean / std).astype(np.float32)


def _predictor(model: Path, *, onednn: bool) -> Any:
    """Return a single-threaded predictor."""
    graph = next(path for path in (model / "model.json", model / "model.pdmodel") if path.exists())
    config = paddle.inference.Config(str(graph), str(model / "model.pdiparams"))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(1)
    config.enable_new_ir()
    config.enable_new_executor()
    config.enable_memory_optim()
    if onednn:
        config.enable_mkldnn()
    else:
        config.disable_mkldnn()  # it is on by default
    assert config.mkldnn_enabled() == onednn
    return paddle.inference.create_predictor(config)
