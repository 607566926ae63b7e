import pytest

from config.catalogue import find_official, official_models
from config.settings import Settings, load_settings
from core.errors import UsageError

BASE = Settings.model_fields["catalogue_url"].default


def test_the_catalogue_has_what_is_usual_for_each_task() -> None:
    known = {model.name: model.task for model in official_models()}
    assert len(known) == len(official_models()), "a name stands for one model"
    assert known.items() >= {
        ("PicoDet-S", "detect"),
        ("PP-YOLOE_plus-S", "detect"),
        ("Mask-RT-DETR-L", "detect"),
        ("PP-TinyPose_128x96", "keypoint"),
        ("PP-LiteSeg-T", "segment"),
        ("OCRNet_HRNet-W48", "segment"),
        ("PP-LCNet_x1_0_pedestrian_attribute", "classify"),
        ("PP-OCRv5_server_det", "text_det"),
        ("en_PP-OCRv4_mobile_rec", "text_rec"),
    }
    assert not any(name.endswith("_infer") or " " in name for name in known)


def test_where_a_model_lies() -> None:
    model = find_official("pp-yoloe_plus-s")
    assert model.address(BASE) == (
        "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_inference_model/paddle3.0.0/"
        "PP-YOLOE_plus-S_infer.tar"
    )
    assert model.address("s3://mirror/") == "s3://mirror/PP-YOLOE_plus-S_infer.tar"


def test_names_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="'PP-YOLOE_plus-Z'") as caught:
        find_official("PP-YOLOE_plus-Z")
    assert "PP-YOLOE_plus-S" in (caught.value.hint or "")
    with pytest.raises(UsageError) as caught:
        find_official("")
    assert "models catalogue" in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["ftp://mirror", "/models", "https://user:secret@host/"])
def test_mirrors_that_are_none(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGATTA_CATALOGUE_URL", url)
    with pytest.raises(UsageError, match="catalogue_url"):
        load_settings()
