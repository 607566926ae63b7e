"""What Paddle answers, ONNX Runtime has to answer as well, on what Paddle2ONNX makes of a model.

The official tools call the same kernels as Regatta: what is wrong in these is wrong on both sides
of the other golden tests. Here it is on one. All models of REGATTA_REFERENCE look at its photos and
the shipped ones at drawn scenes; with REGATTA_EXPORTS, those that `make exports` makes at a photo.
"""

import os
from pathlib import Path

import pytest

from core.profile import NetworkProfile
from sample.shipped import EXPORTS as SHIPPED
from tests.golden.converted import NotConvertedError, OnnxRuntime, converted
from tests.golden.looking import (
    LIMITS,
    Looker,
    Picture,
    apart,
    largest_difference,
    photos,
    scenes,
)
from vision.exports.export import read_export
from worker.engines.paddle.engine import load_predictor, offers
from worker.networks.network import stacked

REFERENCE = Path(os.environ["REGATTA_REFERENCE"])
EXPORTS = Path(os.environ.get("REGATTA_EXPORTS", "/nowhere"))
ONE_PHOTO = ["000000014439.jpg"]
SOME_PHOTOS = [*ONE_PHOTO, "000000087038.jpg"]
PROFILE = NetworkProfile(offers()[0].offer, batch_size=1)

# Nothing else may fail to convert, and these must not begin to do so unnoticed.
NOT_CONVERTED = {
    "ppocr_en_rec": "full_batch_size_like has no counterpart",
    "ppocr_v2_textline_orientation": "the model is written, with a Concat that nothing loads",
    "mask_rcnn": "generate_proposals, distribute_fpn_proposals and while have no counterparts",
}
# The converted model is another one: this, too, must not change unnoticed.
CONVERTED_WRONGLY = {
    "ppmattingv2": "an adaptive pooling of 8 x 8 to 6 x 6 becomes one with windows of one size",
}
RAW = 1e-3  # of the largest number in an output
# Networks that ask which of two numbers is the larger, and rows that ties sort, may differ more in
# single places; their answers have limits, too.
ROUGH = {"detect", "matting"}
# Here it is random tags, and their last bits, that put points together to people.
ONLY_RAW = {"higherhrnet"}


def folders_in(place: Path) -> list[Path]:
    return sorted(one.parent for one in place.glob("*/*.pdiparams"))


def pictures_for(folder: Path) -> list[Picture]:
    if folder.parent == SHIPPED:
        return scenes(2)
    return photos(REFERENCE, ONE_PHOTO if folder.parent == EXPORTS else SOME_PHOTOS)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "folder",
    [*folders_in(REFERENCE / "models"), *folders_in(SHIPPED), *folders_in(EXPORTS)],
    ids=lambda folder: folder.name,
)
def test_a_second_engine_answers_the_same(
    folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    export = read_export(folder)
    if folder.name in NOT_CONVERTED:
        with pytest.raises(NotConvertedError):
            OnnxRuntime(converted(export, tmp_path))
        pytest.skip(NOT_CONVERTED[folder.name])
    second = OnnxRuntime(converted(export, tmp_path))
    looker = Looker(export)
    looks = looker.looks(pictures_for(folder))
    first = load_predictor(export.model_file, export.params_file, profile=PROFILE)
    assert looks
    beyond = {}
    for look in looks:
        feeds = stacked([look.prepared], 1)
        ours, theirs = first.predict(feeds), second.predict(feeds)
        raw = largest_difference(ours, theirs)
        if raw is not None and export.task not in ROUGH:
            scale = max(float(abs(one).max()) for one in ours if one.dtype.kind == "f")
            assert raw / max(1.0, scale) <= RAW
        distances = apart(looker.said(ours, look), looker.said(theirs, look))
        for name, distance in distances.items():
            request.node.user_properties.append((name, float(distance)))
        beyond |= {name: far for name, far in distances.items() if far > LIMITS[name]}
    if folder.name in CONVERTED_WRONGLY:
        assert beyond
        pytest.skip(CONVERTED_WRONGLY[folder.name])
    assert folder.name in ONLY_RAW or not beyond, beyond
    first.close()


def test_the_looks_find_something() -> None:
    """Two engines that both find nothing would agree."""
    export = read_export(REFERENCE / "models/picodet_xs_320_coco_lcnet")
    looker = Looker(export)
    [look, *_] = looker.looks(photos(REFERENCE, ONE_PHOTO))
    first = load_predictor(export.model_file, export.params_file, profile=PROFILE)
    said = looker.said(first.predict(stacked([look.prepared], 1)), look)
    assert len(said["rows"]) > 3
    assert apart(said, said) == {"rows": 0}
    moved = {**said, "rows": said["rows"] + [0, 0, 2, 2, 2, 2]}
    assert apart(said, moved) == {"rows": 1}
    first.close()
