"""pyproject.toml, the locks and environment.yml ask for the same environment."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
LOCK = "".join((PROJECT / each).read_text("utf-8") for each in ("requirements.lock", "requirements-spark.lock"))
PYTHONS = ("3.11", "3.12", "3.13")


def wanted():
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    return [Requirement(each) for each in chain.from_iterable(lists)]


def pins():
    entries = re.findall(r"^(\S+==.*?)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", LOCK, flags=re.MULTILINE)
    return [Requirement(each) for each, _ in entries]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_every_dependency_is_pinned_once_within_its_range_for_every_python(requirement, python):
    here = {"python_full_version": f"{python}.0", "python_version": python}

    versions = [str(pin.specifier).removeprefix("==") for pin in pins()
                if pin.name == requirement.name.lower() and (not pin.marker or pin.marker.evaluate(here))]  # fmt: skip

    assert len(versions) == 1
    assert versions[0] in requirement.specifier


def test_the_locks_hold_names_versions_and_hashes_and_no_address():
    lines = re.sub(
        r"^\S+==\S+(?: ; .*?)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", "", LOCK, flags=re.MULTILINE
    ).split()

    assert lines == []
    assert "://" not in LOCK


def test_conda_makes_the_same_environment_from_the_project_itself():
    python, pip, installed = yaml.safe_load((PROJECT / "environment.yml").read_text("utf-8"))["dependencies"]

    assert SpecifierSet(python.removeprefix("python ")) == SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert (pip, installed) == ("pip", {"pip": ["--editable ."]})


@pytest.mark.parametrize("python", PYTHONS)
def test_the_project_says_which_pythons_it_runs_on(python):
    assert python in SpecifierSet(PYPROJECT["project"]["requires-python"])
