"""What a job that only does what is new would find, before there is one."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from core.comparison import Comparison
from core.items import ItemRef
from scheduler.continued import Continued
from scheduler.dataset import selected
from scheduler.listing import listing_of_all
from scheduler.submit import Draft
from store.database import Database
from store.tables import Job

_BATCH_ITEMS = 20_000


def forecast(db: Database, draft: Draft) -> Comparison:
    """Return what a job would find if it were submitted: its source is listed, nothing is written.

    Raises:
        RetryableError: the job with which it is compared runs again, or nobody knows what this one
            would run on.
        UsageError, BadInputError, FatalError: as reading the source does.
    """
    job = Job(
        id="",
        task=draft.model.queue,
        source=draft.dataset.source,
        output="",
        model=draft.model.to_json(),
        options=draft.options.to_json(),
        selection=draft.selection.to_json(),
        request=draft.request.to_json(),
        since_job=draft.since,
    )
    continued = Continued(db, job)
    try:
        return continued.forecast(_batches(draft))
    finally:
        continued.close()


def _batches(draft: Draft) -> Iterator[list[ItemRef]]:
    entries = listing_of_all(draft.dataset.sources, None)
    listed = selected(entries, draft.selection, Counter())
    while batch := list(islice(listed, _BATCH_ITEMS)):
        yield [ItemRef(0, one.key, one.uri, one.size, one.etag, one.modified) for one in batch]
