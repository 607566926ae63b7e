"""The ways in which an engine can run a network."""

from enum import StrEnum


class Way(StrEnum):
    """How Paddle runs a network on a CPU. All but `PLAIN` are faster, and have to be compared.

    A job freezes one way for each of its networks, so that a rerun of a shard gives the same bytes.
    """

    ONEDNN = "onednn"  # oneDNN's kernels wherever they exist
    ONEDNN_UNPLACED = "onednn_unplaced"  # only where they are trusted: see its configuration
    PLAIN = "plain"  # Paddle's own kernels
