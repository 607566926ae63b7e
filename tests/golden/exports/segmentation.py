"""Exports one model of PaddleSeg by the `export.py` of its `tools` or `Matting/tools`.

python segmentation.py CHECKOUT PHOTOS NAME FOLDER
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paddle
import stand_ins
import yaml
from calibration import SEED, calibrate, pictures
from recipes import PADDLESEG, Recipe


def written_config(checkout: Path, recipe: Recipe, folder: Path) -> Path:
    """The official configuration with changes, and without weights to download."""
    untrained = {"model": {"pretrained": None, "backbone": {"pretrained": None}}}
    path = folder / "config.yml"
    config = {"_base_": str(checkout / recipe.config), **untrained, **recipe.changes}
    path.write_text(yaml.safe_dump(config))
    return path


def main() -> int:
    name = sys.argv[3]
    checkout, photos, folder = (Path(sys.argv[place]) for place in (1, 2, 4))
    recipe = PADDLESEG[name]
    paddle.set_device("cpu")
    paddle.seed(SEED)
    tools = checkout / "Matting" if recipe.matting else checkout
    stand_ins.prepare(*dict.fromkeys((tools, checkout)))
    # Its import takes PaddleSeg's backbones out before it puts Matting's own in.
    tool: Any = stand_ins.file(tools / "tools/export.py")
    home = tool if recipe.matting else stand_ins.module("paddleseg.core.export")
    builder_name = "MatBuilder" if recipe.matting else "SegBuilder"
    builder_class: Any = getattr(home, builder_name)

    def calibrated(config: Any) -> Any:
        builder = builder_class(config)
        feed: Mapping[str, Any] | Any = pictures(photos, recipe)
        if recipe.matting:
            feed = {"img": feed}
        calibrate(builder.model, lambda: builder.model(feed), recipe.heads)
        return builder

    setattr(home, builder_name, calibrated)
    folder.mkdir(parents=True, exist_ok=True)
    config = written_config(checkout, recipe, folder)
    words = ["--config", str(config), "--save_dir", str(folder)]
    if recipe.fixed:
        words += ["--input_shape", "-1", "3", *map(str, recipe.size)]
    sys.argv = ["export.py", *words]
    tool.main(tool.parse_args())
    config.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
