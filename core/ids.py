"""Random ids for jobs and processes."""

import random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u to misread
_LENGTH = 10


def new_id(rng: random.Random) -> str:
    """Return ten random characters (50 bits), so that a short prefix is enough to name a job.

    Ids deliberately hold no time: jobs made in the same minute would share a prefix.
    """
    return "".join(rng.choice(_ALPHABET) for _ in range(_LENGTH))


def is_id(text: str) -> bool:
    """Return whether a text looks like such an id."""
    return len(text) == _LENGTH and set(text) <= set(_ALPHABET)
