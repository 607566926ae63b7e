from pathlib import Path

import pytest

from vision.exports.licence import stated_licence

APACHE = (
    "\n                                 Apache License\n                           Version 2.0,"
)
FRONT = "---\nlanguage: en\nlicense: {}\n---\n# Boats\n"


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({}, None),
        ({"README.md": "# Boats\nlicense: mit\n", "notes": "MIT License"}, None),
        ({"LICENSE": ""}, None),
        ({"LICENSE": APACHE}, "Apache-2.0"),
        ({"COPYING": "MIT License\n\nCopyright"}, "MIT"),
        ({"LICENSE.txt": "\n The Boat Makers' Terms \nNobody may"}, "The Boat Makers' Terms"),
        ({"README.md": FRONT.format("cc-by-4.0"), "LICENSE": APACHE}, "cc-by-4.0"),
        ({"README.md": FRONT.format("[a, b]"), "LICENSE": APACHE}, "Apache-2.0"),
        ({"README.md": "---\n: [\n---\n", "LICENSE": "x" * 200}, "x" * 80),
    ],
)
def test_what_a_directory_says(tmp_path: Path, files: dict[str, str], licence: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert stated_licence(tmp_path) == licence
