"""Stages a run's products under its attempt's own keys."""

import hashlib
import io
from collections.abc import Iterable

from core.layout import artefact, staged_artefact
from core.work import Artefact, WorkUnit
from store.locations import open_store
from store.objects import ObjectStore
from worker.kinds.kind import Product


def stage(unit: WorkUnit, products: Iterable[Product]) -> tuple[Artefact, ...]:
    """Stage products for the commit to publish, streaming files without loading them whole."""
    output = open_store(unit.output)
    return tuple(_stage(unit, product, output) for product in products)


def _stage(unit: WorkUnit, product: Product, output: ObjectStore) -> Artefact:
    content, suffix = product.content, product.suffix
    staged = staged_artefact(product.role, unit.part, unit.hold.attempt, suffix)
    key = artefact(product.role, unit.part, suffix)
    legends = {name: legend.to_json() for name, legend in product.legends.items()}
    if isinstance(content, bytes):
        output.put(staged, content, durable=True)
        digest = hashlib.sha256(content).hexdigest()
        return Artefact(product.role, staged, key, digest, len(content), legends)
    with content.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        output.put_stream(staged, file, durable=True)
    return Artefact(product.role, staged, key, digest, size, legends)
