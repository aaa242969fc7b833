"""What the documents name is there: files, modules that are run by name, commands and their options."""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from personal_ai.cli.main import parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_PATH = re.compile(r"(?<![\w/])(?:personal_ai|ui|tests|docs|resources|\.ci)/(?!_)[\w./*-]*[\w*/]")
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_MODULE = re.compile(r"python3? -m ((?:personal_ai|ui|tests)[\w.]*)|`(tests\.\w[\w.]*)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@each_document
def test_files_are_there(document: Path) -> None:
    text = document.read_text("utf-8")
    missing = [name for name in _PATH.findall(text) if not any(ROOT.glob(name.rstrip("/")))]
    missing += [name for name in _LINK.findall(text) if not (document.parent / name).exists()]
    assert missing == []


@each_document
def test_no_merge_is_left_half_done(document: Path) -> None:
    assert re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", document.read_text("utf-8"), re.MULTILINE) == []


@each_document
def test_modules_are_there(document: Path) -> None:
    named = {one or other for one, other in _MODULE.findall(document.read_text("utf-8"))}
    assert [name for name in named if importlib.util.find_spec(name.rstrip(".")) is None] == []


@each_document
def test_commands_and_their_options_are_there(document: Path) -> None:
    assert [command for command in _commands(document.read_text("utf-8")) if not _is_known(command)] == []


def test_what_is_not_there_is_found() -> None:
    lines = ["| `personal-ai vault create`, `pasword` |", "`canister status --now`", "    cd . && personal-ai demmo"]
    assert [command for command in _commands("\n".join(lines)) if not _is_known(command)] == [
        ["vault", "pasword"], ["canister", "status", "--now"], ["demmo"],
    ]  # fmt: skip


def _commands(text: str) -> Iterator[list[str]]:
    """The words of each command that a document names, without the program's name."""
    groups = _choices(_whole())
    for line in text.splitlines():
        group: list[str] = []  # of a row of a table, whose first command names it for those after it
        for code in re.findall(r"`([^`]+)`", line) + re.findall(r"^ {4}(.*)$", line):
            for part in code.split(" && "):
                words = part.split()
                if words[0] == "personal-ai" and not words[-1].endswith(":"):  # as labels of keys do
                    yield words[1:]
                    group = words[1:2]
                elif len(words) > 1 and words[0] in groups and words[1] in _choices(groups[words[0]]):
                    yield words
                elif line.startswith("| `personal-ai") and group and words[0].isalpha() and words[0].islower():
                    yield [*group, *words]


def _is_known(words: list[str]) -> bool:
    here = _whole()
    for word in words:
        name = word.strip("[]")
        choices = _choices(here)
        if name.startswith("--"):
            if name.partition("=")[0] not in here._option_string_actions:
                return False
        elif choices and name in choices:
            here = choices[name]
        elif choices:
            return False
    return True


@cache
def _whole() -> argparse.ArgumentParser:
    return parser()


def _choices(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands below a command."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
