"""What models are or have that options may be about."""

DETECT = "detect"
KEYPOINT = "keypoint"
CLASSIFY = "classify"
SEGMENT = "segment"
MATTING = "matting"
PANOPTIC = "panoptic"
OCR = "ocr"
MASKS = "masks"
TOP_DOWN = "top_down"
UNPAIRED = "unpaired"

TRAITS = {
    DETECT: "detection",
    MASKS: "detection with masks",
    KEYPOINT: "keypoint",
    TOP_DOWN: "top-down keypoint",
    UNPAIRED: "top-down keypoint without a detector of its own",
    CLASSIFY: "classify",
    SEGMENT: "segment",
    PANOPTIC: "panoptic",
    MATTING: "matting",
    OCR: "ocr",
}
"""The traits and how messages call models that have them. Each task is one, of the same name."""
