"""Names for jobs and processes."""

import random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u to misread
_LENGTH = 10


def new_id(rng: random.Random) -> str:
    """Ten random characters (50 bits), so that a short prefix is enough to name a job.

    Time is no part of it on purpose: jobs made in the same minute would share their prefix.
    """
    return "".join(rng.choice(_ALPHABET) for _ in range(_LENGTH))
