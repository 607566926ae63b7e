"""How a worker process shows whoever started it that it still turns over."""

PULSE_FD = "REGATTA_PULSE_FD"
"""In the environment: the number of a pipe's end that a byte is written to every few seconds."""
