"""However a reply is cut into pieces, it is shown up to the first stop text and not a character further."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from personal_ai.chat.stop_texts import StopTexts


@example(text="abc", stops=["abc", "b"], cuts=[2])
@example(text="abc", stops=["abc", "b"], cuts=[])
@given(
    text=st.text(alphabet="abc", max_size=40),
    stops=st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3),
    cuts=st.lists(st.integers(0, 40), max_size=8),
)
def test_cutting_changes_nothing(text: str, stops: list[str], cuts: list[int]) -> None:
    filter_ = StopTexts(stops)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    shown = ""
    for start, end in pairwise(edges):
        shown += filter_.push(text[start:end])
    shown += filter_.flush()
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    assert filter_.reached == bool(found)
    assert shown == text[: min(found, default=(0, len(text)))[1]]
