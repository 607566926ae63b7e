"""A wheel, installed alone, beside files of others that have the names of our packages."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.stack.environment import python_module
from sample.dataset import dataset_at
from sample.shipped import EXPORTS

ROOT = Path(__file__).parents[2]
STAYS = {"benchmarks", "build", "tests", "training"}
SCENES = 2


def packages() -> set[str]:
    """The packages of the checkout that are to be installed, as folders."""
    found = {file.parent.relative_to(ROOT) for file in ROOT.glob("[a-z]*/**/__init__.py")}
    return {str(path) for path in found if path.parts[0] not in STAYS}


class Installation(NamedTuple):
    """A virtual environment's programs, and a place where others put files of the same names."""

    programs: Path
    others: Path

    def run(self, *words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of it, in the folder of the others' files, which is on the path as well."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REGATTA_")}
        told = {"PYTHONPATH": str(self.others), "REGATTA_HOME": str(home)}
        return subprocess.run(
            [self.programs / words[0], *words[1:]],
            cwd=self.others,
            env=inherited | told,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what the image is built from."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build leaves files where it is done
    source.mkdir()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line.startswith("!"):
            continue
        name = line.strip("!/")
        if (ROOT / name).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installation")
    venv.create(folder / "bare", symlinks=True)
    python = folder / "bare" / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", "--no-compile", wheel)
    # What Regatta depends on comes from here; hooks of this environment, which lead to the
    # checkout, do not: Python follows those of its own site-packages only.
    [site] = (folder / "bare" / "lib").glob("*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    others = folder / "others"
    (others / "regatta").mkdir(parents=True)  # as beside somebody's checkout
    for name in sorted({package.partition("/")[0] for package in packages()} - {"regatta"}):
        (others / f"{name}.py").write_text("raise SystemExit('this is somebody else')")
    return Installation(python.parent, others)


def pip(*words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True)


def test_one_name_is_installed_and_everything_under_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {Path(name) for name in archive.namelist()}
    assert {file.parts[0] for file in files} == {"regatta", "regatta-0.1.0.dist-info"}
    installed = {str(file.parent) for file in files if file.name == "__init__.py"}
    assert installed == {f"regatta/{package}" for package in packages() - {"regatta"}} | {"regatta"}
    assert {Path(f"regatta/{f.relative_to(ROOT)}") for f in EXPORTS.rglob("*.*")} <= files
    data = {"config/catalogue.toml", "report/templates/report.css", "vision/fonts/LICENSE"}
    assert {Path("regatta", name) for name in data} <= files


@pytest.mark.proof
def test_it_works_beside_files_of_the_same_names(
    installation: Installation, tmp_path: Path
) -> None:
    pictures = dataset_at(tmp_path / "data", SCENES).folder
    for broken in pictures.rglob("broken-*"):
        broken.unlink()

    said = installation.run("regatta", "--version", home=tmp_path)
    assert said.stdout == "regatta, version 0.1.0\n", said.stderr
    model = ("--model", EXPORTS / "regatta_fcos_384", "--output", tmp_path / "out")
    ran = installation.run("regatta", "run", pictures, *model, home=tmp_path / "home")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == SCENES


@pytest.mark.proof
def test_a_module_of_ours_is_found_before_others_of_its_name(installation: Installation) -> None:
    """Also where somebody has a `regatta`, which Python alone would find instead of this one."""
    name = Path(python_module("migrations")[2]).relative_to(ROOT)
    [script] = installation.programs.parent.glob(f"lib/*/site-packages/regatta/{name}")
    usurper = installation.others / "regatta.py"
    usurper.write_text("raise SystemExit('this is somebody else')")
    try:
        said = installation.run("python", "-P", script, "config.reference", home=Path("home"))
    finally:
        usurper.unlink()
    assert said.returncode == 0, said.stderr
    assert said.stdout == (ROOT / "docs" / "settings.md").read_text()
