from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import UsageError
from vision.exports.export import export_digest, read_export
from vision.exports.exported import ExportedModel
from vision.ops.classification import ScaleAndNormalize
from vision.ops.detection import Permute
from vision.ops.preprocess import Preprocessor
from vision.ops.text import FixedSize, LimitSide
from vision.ops.text_line import LineInput, width_buckets
from vision.outputs.db_settings import DbSettings

DECODE: dict[str, Any] = {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}
LIMIT: dict[str, Any] = {"DetResizeForTest": {"limit_side_len": 960, "limit_type": "max"}}
NORMALIZE: dict[str, Any] = {
    "NormalizeImage": {
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "scale": "1./255.",
        "order": "hwc",
    }
}
TO_CHW: dict[str, Any] = {"ToCHWImage": None}
KEEP: dict[str, Any] = {"KeepKeys": {"keep_keys": ["image", "shape"]}}
LINE: dict[str, Any] = {"RecResizeImg": {"image_shape": [3, 48, 320]}}
DB: dict[str, Any] = {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.55}
CTC: dict[str, Any] = {"name": "CTCLabelDecode", "character_dict": ["a", "é", "~", "0"]}
CLS: dict[str, Any] = {"name": "ClsPostProcess", "label_list": ["0", "180"]}


def read(folder: Path, steps: list[Any], post: dict[str, Any] | None, **more: Any) -> ExportedModel:
    config = {"PreProcess": {"transform_ops": steps}, "PostProcess": post, **more}
    (folder / "inference.yml").write_text(yaml.safe_dump(config, allow_unicode=True))
    for name in ("inference.json", "inference.pdiparams"):
        (folder / name).write_bytes(name.encode())
    return read_export(folder)


def test_a_detector(tmp_path: Path) -> None:
    steps = [DECODE, {"DetLabelEncode": None}, LIMIT, NORMALIZE, TO_CHW, KEEP]
    model = read(tmp_path, steps, DB, Global={"model_name": "PP-OCRv5_mobile_det"})
    assert (model.name, model.task, model.arch) == ("PP-OCRv5_mobile_det", "text_det", "DB")
    assert model.labels == ("text",)
    assert model.ops == (
        LimitSide(960, "max"),
        ScaleAndNormalize(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        Permute(),
    )
    assert model.threshold == 0.55
    assert DbSettings.of(model.config) == DbSettings(box_thresh=0.55)
    assert model.model_file == tmp_path / "inference.json"
    assert len(export_digest(tmp_path)) == 64


@pytest.mark.parametrize(
    ("arguments", "op"),
    [
        (None, LimitSide(736, "min")),
        ({"limit_side_len": 640}, LimitSide(640, "min")),
        ({"limit_side_len": 64, "limit_type": "min"}, LimitSide(64, "min")),
        ({"resize_long": 960}, LimitSide(960, "max")),
        ({"image_shape": [736, 1280]}, FixedSize((736, 1280))),
        ({"image_shape": [64, 320], "keep_ratio": True}, FixedSize((64, 320), keep_ratio=True)),
    ],
)
def test_how_a_detector_scales(tmp_path: Path, arguments: Any, op: object) -> None:
    steps = [DECODE, {"DetResizeForTest": arguments}, NORMALIZE, TO_CHW]
    assert read(tmp_path, steps, DB).ops[0] == op


def test_a_detector_reads_blue_first(tmp_path: Path) -> None:
    model = read(tmp_path, [DECODE, LIMIT, NORMALIZE, TO_CHW], DB)
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :, 0] = 255
    first, second, third = Preprocessor(model.ops)(image).image[:, 0, 0].tolist()
    assert first == pytest.approx((1 - 0.485) / 0.229, abs=1e-5)
    assert second == pytest.approx(-0.456 / 0.224, abs=1e-5)
    assert third == pytest.approx(-0.406 / 0.225, abs=1e-5)


def test_a_recognizer_has_a_blank_its_dictionary_and_a_space(tmp_path: Path) -> None:
    steps = [DECODE, {"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}}, LINE, KEEP]
    model = read(tmp_path, steps, CTC)
    assert (model.task, model.arch, model.threshold) == ("text_rec", "CTC", 0.0)
    assert model.labels == ("", "a", "é", "~", "0", " ")
    assert model.ops == (LineInput(48, width_buckets(320)),)


def test_an_orientation_model_is_a_classifier_of_lines(tmp_path: Path) -> None:
    model = read(tmp_path, [DECODE, {"ClsResizeImg": {"image_shape": [3, 48, 192]}}], CLS)
    assert (model.task, model.labels, model.most_classes) == ("classify", ("0", "180"), 1)
    assert model.ops == (LineInput(48, (192,)),)


def test_a_classifier_is_still_one(tmp_path: Path) -> None:
    steps = [
        {"ResizeImage": {"size": [160, 80]}},
        {"NormalizeImage": {"order": ""}},
        TO_CHW,
    ]
    post = {"Topk": {"topk": 1, "label_list": ["0_degree", "180_degree"]}}
    model = read(tmp_path, steps, post)
    assert (model.task, model.labels) == ("classify", ("0_degree", "180_degree"))


@pytest.mark.parametrize(
    ("steps", "post", "message"),
    [
        ([DECODE, {"SRResize": {}}, TO_CHW], DB, "'SRResize' is unknown"),
        ([DECODE, {"SVTRRecResizeImg": {"image_shape": [3, 64, 256]}}], CTC, "is unknown"),
        ([LIMIT, NORMALIZE], DB, "DetResizeForTest, NormalizeImage, ToCHWImage"),
        ([NORMALIZE, TO_CHW], DB, "DetResizeForTest, NormalizeImage, ToCHWImage"),
        ([], DB, "DetResizeForTest, NormalizeImage, ToCHWImage"),
        ([LINE, LINE], CTC, "RecResizeImg alone"),
        ([DECODE], CLS, "ClsResizeImg alone"),
        ([{"DecodeImage": {"img_mode": "RGB"}}, LINE], CTC, "only BGR"),
        ([{"RecResizeImg": {"image_shape": [1, 32, 100]}}], CTC, "only three channels"),
        ([{"RecResizeImg": {"image_shape": [3, 0, 100]}}], CTC, "must be positive"),
        ([{"RecResizeImg": {"image_shape": [3, 48]}}], CTC, "RecResizeImg cannot be read"),
        ([{"RecResizeImg": {"image_shape": [3, 48, 320], "padding": False}}], CTC, "aspect"),
        ([{"RecResizeImg": None}], CTC, "RecResizeImg cannot be read"),
        ([{"DetResizeForTest": {"limit_type": "mean"}}], DB, "limit_type 'mean'"),
        ([LINE], {"name": "CTCLabelDecode"}, "character_dict .* is empty"),
        ([LINE], CTC | {"character_dict": []}, "character_dict .* is empty"),
        ([LINE], CTC | {"character_dict": "en_dict.txt"}, "character_dict .* is empty"),
        ([LINE], CTC | {"character_dict": ["a", None]}, "has None, which is not a string"),
        ([LINE], CTC | {"character_dict": ["a", False]}, "has False, which is not a string"),
        ([LINE], {"name": "ClsPostProcess"}, "label_list .* is empty"),
        ([LIMIT, NORMALIZE, TO_CHW], DB | {"thresh": 3}, "between 0 and 1"),
        ([LIMIT, NORMALIZE, TO_CHW], {"name": "PSEPostProcess"}, "PSEPostProcess"),
        ([LINE], {"name": "NRTRLabelDecode"}, "NRTRLabelDecode"),
    ],
)
def test_what_cannot_run_is_named(
    tmp_path: Path, steps: list[Any], post: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, steps, post)


def test_no_steps_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no list PreProcess\.transform_ops"):
        read(tmp_path, [], CTC, PreProcess=None)


def test_what_else_could_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its PostProcess is PSEPostProcess") as caught:
        read(tmp_path, [LIMIT, NORMALIZE, TO_CHW], {"name": "PSEPostProcess"})
    assert caught.value.hint is not None
    assert "DBPostProcess, CTCLabelDecode, ClsPostProcess" in caught.value.hint


def test_missing_weights(tmp_path: Path) -> None:
    read(tmp_path, [LINE], CTC)
    (tmp_path / "inference.pdiparams").unlink()
    with pytest.raises(UsageError, match=r"no inference\.pdiparams"):
        read_export(tmp_path)
