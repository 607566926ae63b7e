import copy
import functools
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import UsageError
from vision.exports.export import export_digest, is_export, read_export
from vision.ops.detection import NormalizeImage, PadStride, Permute, Resize

RESIZE = {"type": "Resize", "target_size": [320, 416], "keep_ratio": False, "interp": 2}
CONFIG: dict[str, Any] = {
    "mode": "paddle",
    "draw_threshold": 0.4,
    "arch": "GFL",
    "Preprocess": [RESIZE, {"type": "Permute"}],
    "label_list": ["person", "café"],
}


def export(folder: Path, *files: str, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    config = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(config, allow_unicode=True))
    for name in files or ("model.json", "model.pdiparams"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_what_a_model_says_about_itself(tmp_path: Path) -> None:
    model = read_export(export(tmp_path / "pico"))
    assert (model.name, model.task, model.arch) == ("pico", "detect", "GFL")
    assert model.labels == ("person", "café")
    assert model.ops == (Resize((320, 416), keep_ratio=False, interp=2), Permute())
    assert model.model_file == tmp_path / "pico" / "model.json"
    assert model.params_file == tmp_path / "pico" / "model.pdiparams"
    assert model.threshold == 0.4
    assert model.config["mode"] == "paddle"


def test_the_exports_own_name_comes_first(tmp_path: Path) -> None:
    folder = export(tmp_path / "inference_model", Global={"model_name": "PicoDet-XS"})
    assert read_export(folder).name == "PicoDet-XS"


def test_every_step_is_read_with_its_arguments(tmp_path: Path) -> None:
    steps = [
        {"type": "Resize", "target_size": 640},
        {"type": "NormalizeImage", "mean": [0, 0, 0], "std": [1, 1, 1], "norm_type": "none"},
        {"type": "Permute"},
        {"type": "PadStride", "stride": 32},
    ]
    assert read_export(export(tmp_path, Preprocess=steps)).ops == (
        Resize((640, 640), keep_ratio=True, interp=1),
        NormalizeImage((0, 0, 0), (1, 1, 1), is_scale=True, norm_type="none"),
        Permute(),
        PadStride(32),
    )


@pytest.mark.parametrize(
    ("there", "graph", "params"),
    [
        (["model.json", "model.pdmodel", "model.pdiparams"], "model.json", "model.pdiparams"),
        (["model.pdmodel", "model.pdiparams"], "model.pdmodel", "model.pdiparams"),
        (["inference.json", "inference.pdiparams"], "inference.json", "inference.pdiparams"),
        (["inference.pdmodel", "inference.pdiparams"], "inference.pdmodel", "inference.pdiparams"),
        (["__model__", "__params__"], "__model__", "__params__"),
    ],
)
def test_the_graph_is_found_by_what_is_there(
    tmp_path: Path, there: list[str], graph: str, params: str
) -> None:
    model = read_export(export(tmp_path, *there))
    assert (model.model_file.name, model.params_file.name) == (graph, params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_list": []}, "label_list .* is empty"),
        ({"label_list": None}, "label_list .* is empty"),
        ({"arch": None}, "does not name an arch"),
        ({"arch": "METRO_Body"}, "keypoint model"),
        ({"arch": "PicoDet"}, "needs fpn_stride and NMS"),
        ({"arch": "PicoDet", "fpn_stride": [0], "NMS": {}}, "fpn_stride must be positive"),
        ({"arch": "PicoDet", "fpn_stride": [8], "NMS": {"nms_top_k": "x"}}, "cannot be read"),
        ({"arch": "Novelty"}, "architecture 'Novelty' .* unknown"),
        ({"Preprocess": None}, "no list Preprocess"),
        ({"Preprocess": [{"type": "WarpAffine"}, {"type": "Permute"}]}, "'WarpAffine' is unknown"),
        ({"Preprocess": ["Permute"]}, "must be a mapping"),
        ({"Preprocess": [RESIZE]}, "Permute once"),
        ({"Preprocess": [{"type": "Permute"}, RESIZE]}, "Resize after Permute"),
        ({"Preprocess": [{"type": "PadStride"}, {"type": "Permute"}]}, "PadStride before"),
        ({"Preprocess": [RESIZE | {"colour": 1}, {"type": "Permute"}]}, "argument 'colour'"),
        ({"Preprocess": [RESIZE | {"target_size": [0, 3]}, {"type": "Permute"}]}, "positive size"),
        ({"Preprocess": [RESIZE | {"interp": 9}, {"type": "Permute"}]}, "interpolations"),
        ({"Preprocess": [{"type": "Resize"}, {"type": "Permute"}]}, "cannot be read"),
        ({"draw_threshold": 7}, "between 0 and 1"),
    ],
)
def test_what_cannot_run_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_export(export(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "largest"),
    [
        ({"arch": "RCNN"}, None),
        ({"arch": "RCNN", "mask": True}, 1),
        ({"arch": "SOLOv2"}, 1),
        ({"arch": "GFL"}, None),
        ({"arch": "PicoDet", "fpn_stride": [8], "NMS": {}}, 1),
    ],
)
def test_graphs_that_mix_up_batches_get_one_image(
    tmp_path: Path, changes: dict[str, Any], largest: int | None
) -> None:
    assert read_export(export(tmp_path, **changes)).largest_batch == largest


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model directory") as caught:
        read_export(tmp_path / "nowhere")
    assert caught.value.hint


def test_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of infer_cfg\.yml"):
        read_export(tmp_path)


@pytest.mark.parametrize("content", [b"a: [", b"just words", b"\xff\xfe\0", b""])
def test_unusable_yaml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "infer_cfg.yml").write_bytes(content)
    with pytest.raises(UsageError, match=r"infer_cfg\.yml"):
        read_export(tmp_path)


def test_missing_weights_and_missing_graph(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model\.json but no model\.pdiparams"):
        read_export(export(tmp_path / "a", "model.json"))
    with pytest.raises(UsageError, match="has no graph"):
        read_export(export(tmp_path / "b", "model.pdiparams"))


def test_the_digest_depends_on_content_alone(tmp_path: Path) -> None:
    first, second = export(tmp_path / "a"), export(tmp_path / "b")
    (second / "notes.txt").write_text("not part of the model")
    assert export_digest(first) == export_digest(second)
    assert len(export_digest(first)) == 64


@pytest.mark.parametrize("name", ["infer_cfg.yml", "model.json", "model.pdiparams"])
def test_the_digest_changes_with_each_file(tmp_path: Path, name: str) -> None:
    folder = export(tmp_path)
    before = export_digest(folder)
    with (folder / name).open("a") as file:
        file.write("\n")
    assert export_digest(folder) != before


def test_one_name_of_yaml_for_every_tool(tmp_path: Path) -> None:
    detector = export(tmp_path / "detector", Global={"model_name": "PicoDet-S"})
    (detector / "infer_cfg.yml").rename(detector / "inference.yml")
    assert (read_export(detector).task, read_export(detector).name) == ("detect", "PicoDet-S")
    segmenter = export(tmp_path / "segmenter", "inference.json", "inference.pdiparams")
    (segmenter / "infer_cfg.yml").unlink()
    transforms = [{"type": "Normalize"}]
    config = {"Global": {"model_name": "PP-LiteSeg-T"}, "Deploy": {"transforms": transforms}}
    (segmenter / "inference.yml").write_text(yaml.safe_dump(config))
    assert (read_export(segmenter).task, read_export(segmenter).name) == ("segment", "PP-LiteSeg-T")


def test_a_directory_is_an_export_by_its_yaml(tmp_path: Path) -> None:
    assert not is_export(tmp_path)
    assert not is_export(tmp_path / "nowhere")
    (tmp_path / "deploy.yaml").mkdir()
    assert not is_export(tmp_path)
    (tmp_path / "inference.yml").write_text("unusable: [")
    assert is_export(tmp_path)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if not isinstance(value, dict | list):
        return
    entries = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, entry in entries:
        yield from _places(entry, (*place, key))


@pytest.mark.parametrize("odd", [5, "x", float("inf"), [None, float("inf")]], ids=repr)
@pytest.mark.parametrize("name", ["regatta_fcos_384", "regatta_text_det", "regatta_weather_128"])
def test_a_value_of_the_wrong_kind_is_refused_or_means_nothing(
    tmp_path: Path, name: str, odd: Any
) -> None:
    folder = shutil.copytree(Path("sample/exports") / name, tmp_path / name)
    [file] = folder.glob("*.yml")
    config = yaml.safe_load(file.read_text())
    for *way, last in filter(None, _places(config)):
        changed = copy.deepcopy(config)
        inner = functools.reduce(lambda value, key: value[key], way, changed)
        inner[last] = odd
        file.write_text(yaml.safe_dump(changed))
        with suppress(UsageError):
            read_export(folder)


def test_inputs_that_no_machine_could_make_are_refused(tmp_path: Path) -> None:
    resize = {**RESIZE, "target_size": [100_000, 100_000]}
    folder = export(tmp_path / "m", Preprocess=[resize, {"type": "Permute"}])
    with pytest.raises(UsageError, match="wants inputs of 100000x100000 pixels"):
        read_export(folder)
