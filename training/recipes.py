"""How each of the shipped models is made, by purpose."""

from sample.labels import JOINTS, LABELS, SEGMENTS
from sample.score import READABLE_HEIGHT
from sample.shipped import MODELS
from training import classifier, detector, pose, recognizer, segmenter, text_detector
from training.alphabet import CHARACTERS, CLASSES
from training.fit import Plan, Recipe
from training.judge import (
    measure_boxes,
    measure_classes,
    measure_joints,
    measure_recognition,
    measure_segments,
    measure_text_detection,
)

_BY_RUN = "run by `regatta run` and compared with the truth"
_WIDE, _HIGH = pose.SIZE

RECIPES = {
    "detect": Recipe(
        shipped=MODELS["detect"],
        scenes=4000,
        batch=detector.BATCH,
        plan=Plan(2200),
        train=detector.train,
        export=detector.export_detector,
        measure=measure_boxes,
        held_out=500,
        shown="pictures",
        judged=f"{_BY_RUN} by COCO's own code (AP over overlaps of 0.5 to 0.95)",
        about={
            "task": f"detection, {len(LABELS)} classes",
            "architecture": "like FCOS: one stage, no anchors, strides 8, 16, 32; NMS in the graph",
            "format": "as PaddleDetection exports: `infer_cfg.yml`, `model.json`",
            "inputs": f"`image` [B,3,{detector.SIDE},{detector.SIDE}] normalized RGB; "
            "`scale_factor` [B,2] as y, x",
            "outputs": "[N,6] of class, score, x1, y1, x2, y2 in source pixels; [B] rows each",
        },
    ),
    "segment": Recipe(
        shipped=MODELS["segment"],
        scenes=2400,
        batch=segmenter.BATCH,
        plan=Plan(1100),
        train=segmenter.train,
        export=segmenter.export_segmenter,
        measure=measure_segments,
        held_out=200,
        shown="pictures",
        judged=f"{_BY_RUN}, pixel by pixel at the sizes of the pictures",
        about={
            "task": f"segmentation, {len(SEGMENTS)} classes",
            "architecture": "an encoder of five scales, joined by a pyramid down to a stride of 2",
            "format": "as PaddleSeg exports: `deploy.yaml`, `model.json`",
            "inputs": f"`x` [B,3,{segmenter.SIDE},{segmenter.SIDE}] normalized RGB",
            "outputs": f"int32 [B,{segmenter.SIDE},{segmenter.SIDE}], the class of each pixel",
        },
    ),
    "keypoint": Recipe(
        shipped=MODELS["keypoint"],
        scenes=1000,
        batch=pose.BATCH,
        plan=Plan(1200),
        train=pose.train,
        export=pose.export_pose,
        measure=measure_joints,
        held_out=200,
        shown="crops",
        judged=(
            "within true boxes, and in those that the shipped detector finds in a run; object "
            "keypoint similarity, and COCO's own code for its AP"
        ),
        about={
            "task": f"top-down keypoints, {len(JOINTS)} joints",
            "architecture": "an encoder of five scales, joined by a pyramid at a stride of 4",
            "format": "as PaddleDetection exports: `infer_cfg.yml` (HRNet), `model.json`",
            "inputs": f"`image` [B,3,{_HIGH},{_WIDE}] normalized RGB, the crop of one rower: its "
            "box grown by 0.3 and widened to 3:4",
            "outputs": f"heatmaps [B,{len(JOINTS)},{_HIGH // pose.STRIDE},{_WIDE // pose.STRIDE}]; "
            f"[B,{len(JOINTS)}], the best cell of each",
        },
    ),
    "classify": Recipe(
        shipped=MODELS["classify"],
        scenes=2000,
        batch=classifier.BATCH,
        plan=Plan(800),
        train=classifier.train,
        export=classifier.export_classifier,
        measure=measure_classes,
        held_out=300,
        shown="pictures",
        judged=_BY_RUN,
        about={
            "task": f"classification, {len(classifier.LABELS)} classes",
            "architecture": "an encoder of five scales, averaged",
            "format": "as PaddleClas exports: `inference.yml`, `inference.json`",
            "inputs": f"`x` [B,3,{classifier.SIDE},{classifier.SIDE}] normalized RGB",
            "outputs": f"scores [B,{len(classifier.LABELS)}], their sum is 1",
        },
    ),
    "text_det": Recipe(
        shipped=MODELS["text_det"],
        scenes=500,
        batch=text_detector.BATCH,
        plan=Plan(900),
        train=text_detector.train,
        export=text_detector.export_text_detector,
        measure=measure_text_detection,
        held_out=150,
        shown="parts of pictures",
        judged=(
            "a detection being right if its IoU with a name is at least a half. Names with letters "
            f"less than {text_detector.READABLE_HEIGHT:g} pixels high in the network's input, or "
            f"less than {text_detector.READABLE_PART:.0%} visible, don't count"
        ),
        about={
            "task": "text detection",
            "architecture": "like DB: an encoder, joined by a pyramid down to a stride of 2",
            "format": "as PaddleOCR exports: `inference.yml` (DBPostProcess), `inference.json`",
            "inputs": "`x` [B,3,H,W] normalized BGR, H and W multiples of 32",
            "outputs": "[B,1,H,W], how likely each pixel is the core of a line of text",
        },
    ),
    "text_rec": Recipe(
        shipped=MODELS["text_rec"],
        scenes=700,
        batch=recognizer.BATCH,
        plan=Plan(1500),
        train=recognizer.train,
        export=recognizer.export_recognizer,
        measure=measure_recognition,
        held_out=150,
        shown="lines",
        judged=(
            "within true quads, for names with letters at least "
            f"{text_detector.READABLE_HEIGHT:g} pixels high; and in a run with the shipped "
            f"detector, for those of {READABLE_HEIGHT:g} pixels"
        ),
        about={
            "task": f"text recognition, {len(CHARACTERS)} characters",
            "architecture": "convolutions down to one row, a class for every 4 columns (CTC)",
            "format": "as PaddleOCR exports: `inference.yml` (CTCLabelDecode), `inference.json`",
            "inputs": f"`x` [B,3,{recognizer.HEIGHT},W] BGR, -1 to 1, W a multiple of 4",
            "outputs": f"[B,W/4,{1 + CLASSES}], probabilities; 0 is CTC's blank, the last a space",
        },
    ),
}
