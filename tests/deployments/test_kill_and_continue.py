"""The short version of tests/faults/kill_deployment.py: a small package, killed after every second chunk."""

from pathlib import Path

from tests.faults.kill_deployment import kill_and_continue


def test_a_killed_deployment_goes_on_where_it_stood(tmp_path: Path) -> None:
    outcome = kill_and_continue(tmp_path, size_bytes=14_000_000, every=2)
    assert outcome.active
    assert outcome.kills >= 2
    assert outcome.chunks >= 6
    assert outcome.chunks_sent_twice == 0
    assert outcome.canisters == 1
