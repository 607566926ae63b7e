"""Runs a module of Regatta's: `python -P cli/stack/run_module.py MODULE [ARGUMENT ...]`.

Regatta's own code comes first on the path. This file is run by its path, not as a module, so that
nothing on `PYTHONPATH` can take its place.
"""

import sys
from pathlib import Path
from runpy import run_module

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    del sys.argv[0]
    run_module(sys.argv[0], run_name="__main__", alter_sys=True)
