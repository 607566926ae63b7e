"""The models that are exported: which configuration, what is changed in it, what its heads answer.

A head is the last layer of a branch, named by a pattern of its path. Trained heads tell places
apart, and random ones do not, so theirs are scaled until their answers to the photos that
calibrate have a given mean and standard deviation: logits around -4 whose best are above 0, say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Spread = tuple[float, float]
Scale = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of pixels from 0 to 1, as a model's preprocessing has them."""
CLASSES: Spread = (-4.0, 1.5)
IMAGENET: Scale = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES: Scale = ((0.5,), (0.5,))
AS_IT_IS: Scale = ((0.0,), (1.0,))

_LITESEG = "configs/pp_liteseg/pp_liteseg_stdc1_cityscapes_1024x512_scale1.0_160k.yml"


@dataclass(frozen=True)
class Recipe:
    """`config` is a path in the checkout, `changes` are laid over it.

    So many `photos` calibrate, of this `size` (height, width) and `scale`. With `fixed`, the graph
    takes that size only, in batches of any.
    """

    config: str
    size: tuple[int, int]
    heads: Mapping[str, Spread] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    scale: Scale = IMAGENET
    photos: int = 8
    fixed: bool = False
    matting: bool = False


_DETR_HEADS = {
    r"transformer\.(enc|dec)_score_head(\.\d+)?": CLASSES,
    r"transformer\.(enc|dec)_bbox_head(\.\d+)?\.layers\.2": (0.0, 0.7),
}

PADDLEDETECTION: Mapping[str, Recipe] = {
    "picodet_raw": Recipe(
        "configs/picodet/picodet_xs_320_coco_lcnet.yml",
        (320, 320),
        {r"head\.head_cls(_list\.)?\d": (-1.5, 1.5), r"head\.head_reg(_list\.)?\d": (0.0, 1.0)},
        {"export": {"post_process": False, "nms": False, "benchmark": False}},
    ),
    "ppyoloe": Recipe(
        "configs/ppyoloe/ppyoloe_plus_crn_s_80e_coco.yml",
        (640, 640),
        {r"yolo_head\.pred_cls\.\d": CLASSES, r"yolo_head\.pred_reg\.\d": (0.0, 1.0)},
        scale=AS_IT_IS,
        photos=1,  # of several, one has outliers that saturate every score
    ),
    "rtdetr": Recipe(
        "configs/rtdetr/rtdetr_r18vd_6x_coco.yml", (640, 640), _DETR_HEADS, scale=AS_IT_IS
    ),
    "dino": Recipe("configs/dino/dino_r50_4scale_1x_coco.yml", (320, 480), _DETR_HEADS, photos=2),
    "hrnet_topdown": Recipe(
        "configs/keypoint/hrnet/hrnet_w32_256x192.yml", (256, 192), {r"final_conv": (0.0, 0.2)}
    ),
    "higherhrnet": Recipe(
        "configs/keypoint/higherhrnet/higherhrnet_hrnet_w32_512.yml",
        (512, 512),
        {r"hrhrnet_head\.conv[12]": (0.0, 0.3)},
        photos=1,  # all it takes
    ),
    "mask_rcnn": Recipe(
        "configs/mask_rcnn/mask_rcnn_r50_fpn_1x_coco.yml",
        (320, 480),
        {
            r"rpn_head\.rpn_rois_score": (0.0, 2.0),
            r"rpn_head\.rpn_rois_delta": (0.0, 0.3),
            r"bbox_head\.bbox_score": (0.0, 2.0),
            r"bbox_head\.bbox_delta": (0.0, 0.5),
            r"mask_head\.mask_fcn_logits": (0.0, 2.0),
        },
    ),
    "solov2": Recipe(
        "configs/solov2/solov2_r50_fpn_1x_coco.yml",
        (320, 480),
        {
            r"solov2_head\.bbox_head\.solo_cate": CLASSES,
            r"solov2_head\.bbox_head\.solo_kernel": (0.0, 0.2),
        },
        photos=1,  # all it takes
    ),
}

_HUMAN_512 = {
    "transforms": [
        {"type": "LoadImages"},
        {"type": "Resize", "target_size": [512, 512]},
        {"type": "Normalize"},
    ]
}

PADDLESEG: Mapping[str, Recipe] = {
    "pp_liteseg": Recipe(
        _LITESEG,
        (512, 1024),
        {r"seg_heads\.0\.conv_out": (0.0, 2.0)},
        {
            "val_dataset": {
                "transforms": [
                    {"type": "Resize", "target_size": [1024, 512]},
                    {"type": "Normalize"},
                ]
            }
        },
        scale=HALVES,
        fixed=True,
    ),
    "hrnet_w48": Recipe(
        "configs/fcn/fcn_hrnetw48_cityscapes_1024x512_80k.yml",
        (256, 512),
        {r"head\.cls": (0.0, 2.0)},
        scale=HALVES,
    ),
    "modnet": Recipe(
        "Matting/configs/modnet/modnet-mobilenetv2.yml",
        (512, 512),
        {r"head\.f_branch\.conv_f\.1\.layers\.0": (0.0, 1.5)},
        scale=HALVES,
        matting=True,
    ),
    "ppmattingv2": Recipe(
        "Matting/configs/ppmattingv2/ppmattingv2-stdc1-human_512.yml",
        (512, 512),
        changes={"val_dataset": _HUMAN_512},
        fixed=True,
        scale=HALVES,
        matting=True,
    ),
    "ppmatting": Recipe(
        "Matting/configs/ppmatting/ppmatting-hrnet_w18-human_512.yml",
        (512, 512),
        changes={"val_dataset": _HUMAN_512},
        fixed=True,
        scale=HALVES,
        matting=True,
    ),
}
