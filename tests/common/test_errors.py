"""The text of an error is what the user reads."""

from personal_ai.common.errors import RejectedError, UnsupportedModelError, UserFacingError


def test_what_then_not_lost_then_next_step() -> None:
    error = UserFacingError("It broke.", not_lost="Nothing is lost.", next_step="Try again.")
    assert str(error) == "It broke. Nothing is lost. Try again."
    assert str(UserFacingError("It broke.")) == "It broke."


def test_each_reason_has_a_line() -> None:
    error = UnsupportedModelError("This model cannot run.", ("Conv at node 3", "Loop at node 9"))
    assert str(error).splitlines() == ["This model cannot run.", "Conv at node 3", "Loop at node 9"]


def test_a_reject_keeps_its_codes() -> None:
    error = RejectedError("No.", reject_code=5, reject_message="trapped", error_code="IC0503")
    assert (error.reject_code, error.reject_message, error.error_code) == (5, "trapped", "IC0503")
