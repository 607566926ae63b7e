"""Packs all that runs into one package, `regatta`; pyproject.toml says everything else."""

from setuptools import find_packages, setup

PACKAGES = find_packages(exclude=["benchmarks*", "build*", "regatta", "tests*", "training*"])

setup(
    packages=["regatta", *(f"regatta.{name}" for name in PACKAGES)],
    package_dir={f"regatta.{name}": name for name in PACKAGES if "." not in name},
)
