"""Label Studio's tasks with predictions: https://labelstud.io/guide/predictions.

Places are per cent of the picture's size. Beside the tasks is the labelling configuration that
they fit.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from annotations.class_list import ClassList
from annotations.document import Records, text_of
from annotations.pictures import Objects, Page, Picture, seen_joints
from annotations.regions import Ring, rings_of
from annotations.target import Target
from annotations.xml_text import attribute
from core.keys import text_to_key
from core.tasks import CLASSIFY, OCR
from vision.palette import colour_of
from vision.skeletons import skeleton_of

TASKS = "tasks.json"
CONFIG = "config.xml"
_IMAGE, _LABEL, _JOINT, _TEXT, _CLASS = "image", "label", "joint", "text", "class"

Region = dict[str, Any]


class LabelStudioWriter:
    """Writes `tasks.json` and `config.xml` for a project."""

    def __init__(self, target: Target, classes: ClassList, *, task: str, version: str) -> None:
        self._target = target
        self._classes = classes
        self._task = task
        self._version = version
        self._tasks = Records(target)
        self._joints: int | None = None

    def add(self, page: Page) -> None:
        """Write pictures, each of which is a task with one prediction."""
        if page.objects.keypoints is not None:
            self._joints = page.objects.keypoints.shape[1]
        ends = page.objects.ends(len(page.pictures))
        self._tasks.add(
            self._record(picture, page.objects, range(ends[place], ends[place + 1]))
            for place, picture in enumerate(page.pictures)
        )

    def close(self) -> None:
        """Write the files."""
        file = self._target.stream(TASKS)
        self._tasks.write_to(file)
        file.write(b"\n")
        self._target.put(CONFIG, self._config().encode())

    def _record(self, picture: Picture, objects: Objects, places: range) -> str:
        result = [region for place in places for region in self._regions(picture, objects, place)]
        if self._task == CLASSIFY and picture.classes:
            result = [_choices(picture)]
        scores = objects.scores[places.start : places.stop]
        prediction: dict[str, Any] = {"model_version": self._version, "result": result}
        if picture.classes and self._task == CLASSIFY:
            prediction["score"] = picture.classes[0]["score"]
        elif len(scores) and not any(scores != scores):  # noqa: PLR0124 - NaN: no scores
            prediction["score"] = float(scores.mean())
        return text_of(
            {
                "data": {_IMAGE: url_of(picture.uri), "item": picture.item},
                "predictions": [prediction],
            }
        )

    def _regions(self, picture: Picture, objects: Objects, place: int) -> Iterator[Region]:
        """Yield the regions of an object; those that belong together share an id."""
        name = f"{picture.number}-{place}"
        label, score = objects.label[place], float(objects.scores[place])
        rings = rings_of(objects, place)
        shapes: Sequence[tuple[str, dict[str, Any]]]
        if rings:
            shapes = [("polygon", {"points": _points(ring, picture)}) for ring in rings]
        else:
            shapes = [("rectangle", _rectangle(objects, place, picture))]
        for number, (kind, value) in enumerate(shapes):
            region = _region(f"{name}-{number}", picture, kind, value, _LABEL)
            region["value"][f"{kind}labels"] = [label]
            if score == score:  # noqa: PLR0124 - NaN: no score
                region["score"] = score
            yield region
            if objects.texts is not None and (line := objects.texts[place]) is not None:
                yield _text_region(f"{name}-{number}", picture, kind, value, line)
        if objects.keypoints is not None:
            yield from self._joint_regions(name, picture, objects.keypoints[place])

    def _joint_regions(self, name: str, picture: Picture, joints: Any) -> Iterator[Region]:
        seen = seen_joints(joints, picture.width, picture.height).tolist()
        for number, joint in enumerate(skeleton_of(len(joints)).joints):
            if seen[number]:
                x, y, score = joints[number].tolist()
                value = {
                    "x": x / picture.width * 100,
                    "y": y / picture.height * 100,
                    "width": 0.5,
                    "keypointlabels": [joint],
                }
                region = _region(f"{name}-{joint}", picture, "keypoint", value, _JOINT)
                yield {**region, "type": "keypointlabels", "parentID": f"{name}-0", "score": score}

    def _config(self) -> str:
        """Return the labelling configuration, with a control for each kind of region."""
        names = list(dict.fromkeys(self._classes.names))
        if self._task == CLASSIFY:
            choices = "".join(f"<Choice value={attribute(name)}/>" for name in names)
            controls = (
                f'<Choices name="{_CLASS}" toName="{_IMAGE}" choice="multiple">{choices}</Choices>'
            )
        else:
            labels = "".join(
                f"<Label value={attribute(name)} background={_colour(number)}/>"
                for number, name in enumerate(names)
            )
            controls = "\n".join(
                f'<{kind}Labels name="{_LABEL}{kind.lower()}" toName="{_IMAGE}">{labels}'
                f"</{kind}Labels>"
                for kind in ("Rectangle", "Polygon")
            )
        if self._joints is not None:
            joints = "".join(
                f'<Label value="{joint}"/>' for joint in skeleton_of(self._joints).joints
            )
            controls += (
                f'\n<KeyPointLabels name="{_JOINT}" toName="{_IMAGE}">{joints}</KeyPointLabels>'
            )
        if self._task == OCR:
            controls += (
                f'\n<TextArea name="{_TEXT}" toName="{_IMAGE}" perRegion="true" editable="true"/>'
            )
        return f'<View>\n<Image name="{_IMAGE}" value="${_IMAGE}"/>\n{controls}\n</View>\n'


def url_of(uri: str) -> str:
    """Return where Label Studio finds a picture: its own URL for local files, or the bucket's.

    It serves files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, which is taken to be `/`.
    """
    if not uri.startswith("/"):
        return uri
    path = text_to_key(uri).lstrip("/").encode("utf-8", "surrogateescape")
    return f"/data/local-files/?d={quote(path)}"


def _region(name: str, picture: Picture, kind: str, value: dict[str, Any], control: str) -> Region:
    return {
        "id": name,
        "type": f"{kind}labels",
        "from_name": f"{control}{kind}" if control == _LABEL else control,
        "to_name": _IMAGE,
        "original_width": picture.width,
        "original_height": picture.height,
        "image_rotation": 0,
        "value": dict(value),
    }


def _text_region(
    name: str, picture: Picture, kind: str, value: dict[str, Any], line: str
) -> Region:
    region = _region(name, picture, kind, value, _TEXT)
    return {**region, "type": "textarea", "value": {**value, "text": [line]}}


def _choices(picture: Picture) -> Region:
    labels = [one["label"] for one in picture.classes or ()]
    region = _region(f"{picture.number}", picture, "choices", {"choices": labels}, _CLASS)
    return {**region, "type": "choices"}


def _rectangle(objects: Objects, place: int, picture: Picture) -> dict[str, Any]:
    x1, y1, x2, y2 = objects.xyxy[place].tolist()
    return {
        "x": x1 / picture.width * 100,
        "y": y1 / picture.height * 100,
        "width": (x2 - x1) / picture.width * 100,
        "height": (y2 - y1) / picture.height * 100,
        "rotation": 0,
    }


def _points(ring: Ring, picture: Picture) -> list[list[float]]:
    return [[x / picture.width * 100, y / picture.height * 100] for x, y in ring.tolist()]


def _colour(number: int) -> str:
    blue, green, red = colour_of(number)
    return f'"#{red:02x}{green:02x}{blue:02x}"'
