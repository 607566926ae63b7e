"""The installed package of Regatta. Importing it puts Regatta's own code first on the path.

The code's packages are called `core`, `worker` and so on. In a checkout they lie beside this
package, in an installation inside it: where others install as well, only the name `regatta` is
taken.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).parent

sys.path.insert(0, str(_HERE if (_HERE / "core").is_dir() else _HERE.parent))


def main() -> None:
    """Run the command line of this process."""
    from cli.main import main as run  # noqa: PLC0415 - found only now

    run()
