"""Templates are foreign programs: whatever they do ends in text or in a typed error, soon and in little memory."""

from __future__ import annotations

import resource

import pytest

from personal_ai.models.chat_template import ChatTemplate, Skeleton, Slot, TemplateRefusedError
from personal_ai.models.messages import Message

HELLO = (Message("user", "hello"),)
GROWING = "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"


def skeleton(template: str, messages: tuple[Message, ...] = HELLO) -> Skeleton:
    return ChatTemplate(template, {"bos_token": "<s>"}).skeleton(messages, add_generation_prompt=True)


def test_the_templates_words_and_the_places_of_messages() -> None:
    template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }};{% endfor %}"
    expected = ("<s>[user]", Slot(0, False, False), ";[assistant]", Slot(1, False, False), ";")
    assert skeleton(template, (*HELLO, Message("assistant", "hi"))) == expected


@pytest.mark.parametrize(
    ("expression", "left", "right"),
    [
        ("m.content", False, False),
        ("m.content | trim", True, True),
        ("m.content.strip()", True, True),
        ("m['content'].lstrip()", True, False),
        ("m['content'].rstrip()", False, True),
        ("' ' ~ m.content ~ ' '", False, False),
        ("m.content | upper", False, False),
    ],
)
def test_stripping_is_noticed(expression: str, left: bool, right: bool) -> None:
    pieces = skeleton("{% for m in messages %}{{ " + expression + " }}{% endfor %}")
    assert [piece for piece in pieces if isinstance(piece, Slot)] == [Slot(0, left, right)]
    assert Slot(0, left, right).fill(" a ") == (" a "[left : 3 - right])


def test_an_empty_message_is_shown_as_empty() -> None:
    template = "{% for m in messages %}{% if m.content %}+{% else %}-{% endif %}{{ m.content }}{% endfor %}"
    messages = (Message("user", " \n"), Message("assistant", "x"))
    assert skeleton(template, messages) == ("-+", Slot(1, False, False))


def test_marks_of_transformers_for_training_are_read_over() -> None:
    template = "{% for m in messages %}{%- generation -%} {{ m.content }} {%- endgeneration -%} !{% endfor %}"
    assert skeleton(template) == (Slot(0, False, False), "!")


def test_equal_shapes_of_conversations_are_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    template = "{{ 'once' }}{{ messages[-1].content }}"
    first = skeleton(template)
    monkeypatch.setattr("subprocess.run", None)
    assert skeleton(template, (Message("user", "another"),)) == first


def test_text_that_looks_like_a_slot_is_the_templates_own() -> None:
    assert skeleton("\U000f0007{{ messages[0].content }}") == ("\U000f0007", Slot(0, False, False))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ 'a' * 10**9 }}{{ messages[0].content }}", "too large|out of fuel"),
        ("{{ [0] * 10**10 }}", "too large"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "fuel"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ nothing.at.all }}", "undefined"),
        ("{{ raise_exception('not today') }}", "not today"),
        ("{% include 'other' %}", "not found"),
        ("{{ open('/etc/passwd').read() }}", "unknown"),
        ("{{ ''.__class__.__mro__ }}", "undefined"),
        ("{% for %}", "syntax"),
        ("{{ strftime_now('x' * 1000) }}", "too long"),
        ("{{ 'x' * 100000 ~ 'x' * 1000000 }}", "too long|too large"),
        ("nothing that was said", "leaves out"),
        ("{{ messages[0].content[0] }}", "leaves out"),
    ],
)
def test_hostile_templates_are_refused_with_a_reason(template: str, reason: str) -> None:
    with pytest.raises(TemplateRefusedError, match=reason):
        skeleton(template)


@pytest.mark.parametrize(
    "template",
    [
        GROWING + "{{ ns.x | length }}",
        "{{ 'aaaaaaaaaa' | replace('a', 'b' * 1000) | replace('b', 'c' * 1000) | replace('c', 'd' * 1000) | length }}",
        "{{ '%99999999999d' | format(3) | length }}",
        "{{ " + "(" * 100_000 + ")" * 100_000 + " }}",
        "{{ " + "-" * 100_000 + "1 }}",
    ],
    ids=["doubling", "replace", "format", "nested", "signs"],
)
def test_bombs_hurt_only_the_process_that_renders_them(template: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TemplateRefusedError):
        skeleton(template)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # in KiB


def test_a_template_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personal_ai.models.chat_template._TIME_LIMIT_S", 0.001)
    with pytest.raises(TemplateRefusedError, match="end"):
        skeleton("{{ messages[0].content }} not in the cache")


def test_no_messages_is_no_conversation() -> None:
    with pytest.raises(TemplateRefusedError):
        skeleton("x", ())
