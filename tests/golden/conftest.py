"""Golden tests need real models and answers: REGATTA_REFERENCE names a folder that has them."""

import os
import warnings

if os.environ.get("REGATTA_REFERENCE"):
    with warnings.catch_warnings():
        # Paddle warns, once, where no ccache is installed; here warnings are errors.
        warnings.simplefilter("ignore")
        import paddle  # noqa: F401
    collect_ignore_glob = []
else:
    collect_ignore_glob = ["test_*.py"]
