"""Every text that the window shows goes through `tr`, whole, so that it can be translated."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ui

ROOT = Path(ui.__file__).parent
FILES = [path for path in sorted(ROOT.rglob("*.py")) if "tour" not in path.parts and "theme" not in path.parts]
# What is given to these is read by people.
SHOWN = {
    "Button", "CrashDialog", "FormDialog", "LineCard", "Notice", "PasswordField", "QCheckBox", "QLabel", "QRadioButton",
    "WorkCard", "add", "addAction", "addItem", "addItems", "add_line", "announce", "chip", "count", "label", "offer",
    "say", "setAccessibleDescription", "setAccessibleName", "setLabelText", "setOkButtonText", "setPlaceholderText",
    "setStatusTip", "setText", "setToolTip", "setWindowTitle", "set_busy", "tell",
}  # fmt: skip
NOT_WORDS = {"kind", "icon", "tone"}  # arguments that are names of looks


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def shown(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that become words on the screen. The second of a label or a button is its kind."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in SHOWN:
            looks = called(node) in ("Button", "chip", "label")
            yield from node.args[:1] if looks else node.args
            yield from (keyword.value for keyword in node.keywords if keyword.arg not in NOT_WORDS)


def bare(expression: ast.expr) -> Iterator[str]:
    """Words in an expression that no `tr` is around."""
    if isinstance(expression, ast.Call) and called(expression) != "join":
        if called(expression) == "format" and isinstance(expression.func, ast.Attribute):
            yield from bare(expression.func.value)
        return
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        if any(letter.isalpha() for letter in expression.value) and not expression.value.startswith("\t"):  # keys
            yield expression.value
        return
    if isinstance(expression, ast.Compare | ast.Subscript | ast.Lambda):
        return
    for part in ast.iter_child_nodes(expression):
        if isinstance(part, ast.expr):
            yield from bare(part)


def words(source: str) -> list[str]:
    return [word for expression in shown(ast.parse(source)) for word in bare(expression)]


def test_no_text_is_shown_untranslated() -> None:
    found = {path.relative_to(ROOT).as_posix(): words(path.read_text("utf-8")) for path in FILES}
    assert {path: texts for path, texts in found.items() if texts} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("label('Wallet', 'heading1')", ["Wallet"]),
        ("label(tr('Wallet'), 'heading1')", []),
        ("self.go.setText('Paying…' if busy else tr('Pay'))", ["Paying…"]),
        ("label(f'{number} chats')", [" chats"]),
        ("label(tr('{n} chats').format(n=number) + DOT + name)", []),
        ("label('{n} chats'.format(n=1))", ["{n} chats"]),
        ("Button('', 'action', icon='copy')", []),
        ("toast.offer(tr('Gone'), undo=lambda: self.bring('x'))", []),
    ],
)
def test_the_search_finds_what_it_should(source: str, found: list[str]) -> None:
    assert words(source) == found


def test_what_is_translated_is_one_literal() -> None:
    """A text put together before it is translated is found in no catalogue."""
    trees = [ast.parse(path.read_text("utf-8")) for path in FILES]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) == "tr"]
    assert [ast.unparse(call) for call in calls if not isinstance(call.args[0], ast.Constant)] == []
