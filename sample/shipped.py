"""The models that Regatta ships; `make models` trains them on the sample world."""

from importlib.resources import files
from pathlib import Path

EXPORTS = Path(str(files("sample"))) / "exports"

DETECTOR = EXPORTS / "regatta_fcos_384"
"""Finds everything in `sample.labels.LABELS`; its README.md says how well."""
