"""CVAT's XML 1.1 for images: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/.

What has a track number is a `<track>`, as for videos; a picture's number is its frame there.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence

import duckdb
import numpy as np
import pyarrow as pa

from annotations.class_list import ClassList
from annotations.pictures import Objects, Page, Picture, seen_joints
from annotations.regions import Ring, Shape, rings_of
from annotations.target import Target
from annotations.xml_text import attribute, content
from predictions.run_lengths import RunLengths
from vision.palette import colour_of
from vision.rle import box_around
from vision.skeletons import skeleton_of

DOCUMENT = "annotations.xml"


class CvatWriter:
    """Writes one document: the labels, the images in order, then the tracks.

    With `tags`, the classes of whole pictures are their tags.
    """

    def __init__(
        self,
        target: Target,
        classes: ClassList,
        *,
        name: str,
        shape: Shape = Shape.OUTLINES,
        tags: bool = False,
    ) -> None:
        self._target = target
        self._classes = classes
        self._name = name
        self._shape = shape
        self._tags = tags
        self._images = target.scratch()
        self._tracks: Tracks | None = None
        self._count = 0
        self._joints: int | None = None
        self._has_texts = False

    def add(self, page: Page) -> None:
        """Write pictures and their objects; tracks come later."""
        objects = page.objects
        self._count += len(page.pictures)
        self._has_texts |= objects.texts is not None
        if objects.keypoints is not None:
            self._joints = objects.keypoints.shape[1]
        ends = objects.ends(len(page.pictures))
        scores = objects.score_texts()
        is_tracked = [track is not None for track in objects.tracks or [None] * len(objects)]
        if any(is_tracked):
            self._tracks = self._tracks or Tracks()
            self._tracks.add(page, np.array(is_tracked))
        for place, picture in enumerate(page.pictures):
            self._images.write(
                f'<image id="{picture.number}" name={attribute(picture.name)} '
                f'width="{picture.width}" height="{picture.height}">\n'.encode()
            )
            for one in (picture.classes if self._tags else None) or ():
                self._images.write(_tag(one["label"], one["score"]).encode())
            for each in range(ends[place], ends[place + 1]):
                if not is_tracked[each]:
                    text = "".join(self._element(objects, each, picture, scores[each]))
                    self._images.write(text.encode())
            self._images.write(b"</image>\n")

    def close(self) -> None:
        """Write the document."""
        file = self._target.stream(DOCUMENT)
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write(b"<version>1.1</version>\n" + self._meta().encode())
        self._images.seek(0)
        shutil.copyfileobj(self._images, file, 1 << 20)
        if self._tracks is not None:
            for text in self._tracks.elements():
                file.write(text.encode())
        file.write(b"</annotations>\n")

    def _meta(self) -> str:
        labels = "".join(
            self._label(number, name) for number, name in enumerate(self._classes.names)
        )
        return (
            f"<meta><task><name>{content(self._name)}</name><size>{self._count}</size>"
            f"<mode>annotation</mode>\n<labels>\n{labels}</labels></task></meta>\n"
        )

    def _label(self, number: int, name: str) -> str:
        blue, green, red = colour_of(number)
        kind = "any" if self._joints is None else "skeleton"
        texts = _attribute_kind("text") if self._has_texts else ""
        inner = ""
        if self._joints is not None:
            inner = "".join(
                f"<label><name>{joint}</name><type>points</type><parent>{content(name)}</parent>"
                "<attributes></attributes></label>\n"
                for joint in skeleton_of(self._joints).joints
            )
        return (
            f"<label><name>{content(name)}</name><color>#{red:02x}{green:02x}{blue:02x}</color>"
            f"<type>{kind}</type><attributes>{_attribute_kind('score')}{texts}</attributes>"
            f"</label>\n{inner}"
        )

    def _element(self, objects: Objects, place: int, picture: Picture, score: str) -> Iterator[str]:
        """Yield an object's elements: its pixels or outlines, its skeleton, or its box."""
        said = _attribute("score", score) if score else ""
        if objects.texts is not None and (line := objects.texts[place]) is not None:
            said += _attribute("text", line)
        head = f'label={attribute(objects.label[place])} source="auto" occluded="0"'
        if objects.keypoints is not None:
            joints = objects.keypoints[place]
            names = skeleton_of(len(joints)).joints
            seen = seen_joints(joints, picture.width, picture.height)
            points = "".join(
                f'<points label="{name}" source="auto" outside="{int(not is_seen)}" occluded="0" '
                f'points="{x:.2f},{y:.2f}"></points>\n'
                for name, (x, y, _), is_seen in zip(
                    names, joints.tolist(), seen.tolist(), strict=True
                )
            )
            yield f'<skeleton {head} z_order="0">\n{points}{said}</skeleton>\n'
            return
        mask = objects.masks[place] if objects.masks is not None else None
        if mask is not None and self._shape is Shape.RUNS:
            yield f'<mask {head} {_runs(mask)} z_order="0">{said}</mask>\n'
            return
        if rings := rings_of(objects, place):
            for ring in rings:
                yield f'<polygon {head} points="{_points(ring)}" z_order="0">{said}</polygon>\n'
            return
        yield f'<box {head} {_corners(objects.xyxy[place].tolist())} z_order="0">{said}</box>\n'


class Tracks:
    """The boxes of tracks, kept in a database on disk until they are sorted."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="regatta-tracks-")
        self._rows = duckdb.connect(f"{self._folder.name}/boxes.duckdb")
        self._rows.execute("set memory_limit = '256MB'")
        self._rows.execute(
            "create table boxes (track bigint, picture bigint, label varchar, score varchar, "
            "x1 double, y1 double, x2 double, y2 double)"
        )

    def add(self, page: Page, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Keep the objects of a page for which a mask (N,) is true."""
        objects = page.objects.select(chosen)
        numbers = np.array([one.number for one in page.pictures], np.int64)
        corners = dict(zip(("x1", "y1", "x2", "y2"), objects.xyxy.T, strict=True))
        table = pa.table(
            {
                "track": objects.tracks,
                "picture": numbers[objects.picture],
                "label": objects.label,
                "score": objects.score_texts(),
                **{name: np.ascontiguousarray(values) for name, values in corners.items()},
            }
        )
        self._rows.register("page", table)
        self._rows.execute("insert into boxes select * from page")
        self._rows.unregister("page")

    def elements(self) -> Iterator[str]:
        """Yield the tracks in pieces. A track ends in the picture after the last that shows it."""
        found = self._rows.execute(
            "select *, lead(picture) over (partition by track, label order by picture) "
            "from boxes order by track, label, picture"
        )
        current = None
        while rows := found.fetchmany(10_000):
            for track, picture, label, score, *corners, following in rows:
                if current != (track, label):
                    yield "</track>\n" if current else ""
                    yield f'<track id="{track}" label={attribute(label)} source="auto">\n'
                    current = (track, label)
                said = _attribute("score", score) if score else ""
                box = _corners(corners)
                yield _box(picture, box, said, outside=False)
                if following != picture + 1:
                    yield _box(picture + 1, box, said, outside=True)
        yield "</track>\n" if current else ""
        self._rows.close()
        self._folder.cleanup()


def _box(frame: int, box: str, said: str, *, outside: bool) -> str:
    flags = f'outside="{int(outside)}" occluded="0" keyframe="1" z_order="0"'
    return f'<box frame="{frame}" {box} {flags}>{said}</box>\n'


def _corners(corners: Sequence[float]) -> str:
    x1, y1, x2, y2 = corners
    return f'xtl="{x1:.2f}" ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}"'


def _points(ring: Ring) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in ring.tolist())


def _runs(mask: RunLengths) -> str:
    """Return CVAT's run lengths: row by row within the box of the mask, beginning outside."""
    x1, y1, x2, y2 = box_around(mask)
    pixels = mask.decode()[y1:y2, x1:x2].ravel()
    edges = np.flatnonzero(np.diff(pixels, prepend=False))
    lengths = np.diff(edges, prepend=0, append=len(pixels))
    runs = ", ".join(map(str, lengths.tolist()))
    return f'rle="{runs}" left="{x1}" top="{y1}" width="{x2 - x1}" height="{y2 - y1}"'


def _tag(label: str, score: float) -> str:
    said = _attribute("score", f"{score:.4g}")
    return f'<tag label={attribute(label)} source="auto">{said}</tag>\n'


def _attribute(name: str, value: str) -> str:
    return f'<attribute name="{name}">{content(value)}</attribute>'


def _attribute_kind(name: str) -> str:
    return (
        f"<attribute><name>{name}</name><mutable>True</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
    )
