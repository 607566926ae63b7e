"""The names of what the world contains."""

ROWING_BOAT = "rowing boat"
ROWER = "rower"
SAILING_BOAT = "sailing boat"
BUOY = "buoy"
GULL = "gull"

LABELS = (ROWING_BOAT, ROWER, SAILING_BOAT, BUOY, GULL)
"""A class's number is its index here."""

GROUNDS = ("sky", "shore", "water")
"""What fills a picture behind all things; a ground's number is its index here."""

SEGMENTS = (*GROUNDS, *LABELS)
"""What a pixel can show; a segment's number is its index here."""

JOINTS = (
    "nose",
    *("left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
"""COCO's keypoints, in its order."""

SKELETON = (
    *((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9)),
    *((8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
)
"""COCO's limbs, as pairs of joints numbered from 1."""
