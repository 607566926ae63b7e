"""In which of its ways an engine runs a network."""

from enum import StrEnum


class Way(StrEnum):
    """How Paddle runs a network on a CPU. What is not `PLAIN` is faster, and has to be compared.

    A job freezes one way for each of its networks, so that a rerun of a shard gives the same bytes.
    """

    ONEDNN = "onednn"  # oneDNN's kernels wherever there are some
    ONEDNN_UNPLACED = "onednn_unplaced"  # only where they are trusted: see its configuration
    PLAIN = "plain"  # Paddle's own kernels
