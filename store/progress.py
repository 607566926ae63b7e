from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Is told how many bytes have come, and of how many if that is known."""
