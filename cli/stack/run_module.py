"""Runs a module, Regatta's own code first on the path: `python -P cli/stack/run_module.py MODULE ...`.

It is started by its file's name, so that nothing which others put on the path can take its place.
"""

import sys
from pathlib import Path
from runpy import run_module

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    del sys.argv[0]
    run_module(sys.argv[0], run_name="__main__", alter_sys=True)
