"""Turns a model's answer about a picture into its row and files."""

from collections.abc import Callable, Sequence
from functools import partial

from core.layout import annotated_image, cutout_image, mask_image
from core.states import ItemState
from core.tasks import TASK
from predictions.answer import Answer
from store.parts import ResultRow
from vision.draw import by_task
from vision.draw.redaction import redacted
from worker.models import Member
from worker.networks.network import Pixels
from worker.pipeline.flow import Finished, Picture, Ticket
from worker.pipeline.inquiry import Failure


def finished(
    ticket: Ticket, picture: Picture | None, answers: Sequence[tuple[Member, Answer | Failure]]
) -> Finished:
    """Return a picture's rows and files; `picture` is given if it is drawn on or cut out."""
    files: dict[str, bytes] = {}
    drawings: dict[str, Callable[[], Pixels]] = {}
    image = None if picture is None else _to_show(ticket, picture.image, answers)
    rows = []
    for member, answer in answers:
        if isinstance(answer, Failure):
            rows.append(ticket.quarantined(member.name, member.task, str(answer)))
            continue
        ticket.run.note_legend(member.name, answer.legend)
        # With several models, each has a folder of its own.
        folder = member.name if len(answers) > 1 else None
        rows.append(_row(ticket, image, member, answer, folder, files, drawings))
    return Finished(rows, files, drawings)


def _to_show(
    ticket: Ticket, image: Pixels, answers: Sequence[tuple[Member, Answer | Failure]]
) -> Pixels | None:
    """Return what may be seen of a picture; None if a model that failed might have hidden more."""
    labels = ticket.run.unit.options.drawing.redact
    if labels is None:
        return image
    found = [(one.task, answer) for one, answer in answers if not isinstance(answer, Failure)]
    return redacted(image, found, labels) if len(found) == len(answers) else None


def _row(
    ticket: Ticket,
    image: Pixels | None,
    member: Member,
    answer: Answer,
    folder: str | None,
    files: dict[str, bytes],
    drawings: dict[str, Callable[[], Pixels]],
) -> ResultRow:
    """Return a model's row for a picture, adding what it names to `files` and `drawings`."""
    assert ticket.size is not None
    key = ticket.item.key if ticket.frame is None else f"{ticket.item.key}/{ticket.frame:06d}"
    annotated = mask = cutout = None
    options = ticket.run.unit.options.drawing
    is_wanted = not options.only_found or by_task.finds_something(member.task, answer)
    if image is not None and ticket.is_drawn and is_wanted:
        annotated = annotated_image(key, folder, options.picture_format)
        drawings[annotated] = partial(by_task.draw, member.task, image, answer, options)
    if answer.mask is not None:
        mask = mask_image(key, folder)
        files[mask] = by_task.encode_mask_of(member.task, answer.mask)
        if TASK[member.task].has_cutouts and image is not None:
            cutout = cutout_image(key, folder)
            files[cutout] = by_task.cut_out(member.task, image, answer.mask)
    return ResultRow(
        item=ticket.item,
        task=member.task,
        model=member.name,
        state=ItemState.SUCCEEDED,
        width=ticket.size[0],
        height=ticket.size[1],
        frame=ticket.frame,
        pts=ticket.pts,
        detections=answer.detections,
        classes=answer.classes,
        segments=answer.segments,
        mask=mask,
        cutout=cutout,
        annotated=annotated,
        warning=ticket.warning,
    )
