"""What the project states about itself agrees with what it is."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path

import pytest

import treadle

ROOT = Path(__file__).parents[2]


def stated_version() -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert match is not None
    return match[1]


def nox_sessions() -> set[str]:
    """The names of the noxfile's sessions; a decorator may give another than the function's."""
    names = set()
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in map(ast.unparse, node.decorator_list):
            if decorator.startswith("nox.session"):
                renamed = re.search(r"name='(\w+)'", decorator)
                names.add(renamed[1] if renamed else node.name)
    return names


def test_package_and_metadata_state_one_version() -> None:
    assert treadle.__version__ == stated_version()
    assert importlib.metadata.version("treadle") == stated_version()


def test_the_changelog_has_an_entry_for_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(stated_version())}\]", changelog, re.MULTILINE)


def test_the_annotations_are_shipped() -> None:
    package = Path(treadle.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package / "_core.pyi").is_file()


def test_everything_exported_exists_once() -> None:
    assert len(treadle.__all__) == len(set(treadle.__all__))
    assert [name for name in treadle.__all__ if not hasattr(treadle, name)] == []


def test_nothing_is_needed_at_run_time() -> None:
    needed = importlib.metadata.requires("treadle") or []
    assert [name for name in needed if "extra ==" not in name] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_every_session_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"nox -s \"?([a-z_]+)", text))
    assert named
    assert named <= nox_sessions()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_file_that_a_document_links_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []
