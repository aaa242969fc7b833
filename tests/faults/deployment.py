"""A purchase and a deployment interrupted at every point: `python -m tests.faults.deployment [--all] [--json]`.

The way from ICP to an active model (tests/faults/purchase.py) is lived through again and again, on a virtual clock,
each time with other troubles (tests/faults/troubles.py): the program stopped before and after each write of a journal
and each request, requests and answers lost, delayed and duplicated, the gateway down, the disk full, the clock wrong;
gone on with at once, or 25 hours later, when the ledgers have forgotten.

There are two ways to the canister: ICP bring cycles that are lacking onto the account, or buy the canister itself.
Short: all stops of both short ways (to the paid canister), at once and 25 hours later, all later stops of a whole way,
and a seeded choice of the other troubles. --all: every trouble at every point, both at once and 25 hours later, and all
pairs of stops on the short way. The judge is the network's audit and what is left on its ledgers, never a journal.

The answer is {runs, finished, double_creations, unaccounted_cycles, unaccounted_e8s, corrupt_models}.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

from tests.faults.purchase import DAY_AND_AN_HOUR_S, Case, Verdict, Way, World, world
from tests.faults.troubles import POSSIBLE, STOPS, Fault

SEED = 7
SHORT_CHOICE = 40
CASES_IN_A_WORLD = 24  # a network that has seen hundreds of people is slow
WHOLE, SHORT, SHORT_BOUGHT = WAYS = ((True, False), (False, False), (False, True))  # whole, bought
RESTS_S = (0, DAY_AND_AN_HOUR_S)
_FAULTS = tuple(dict.fromkeys(fault for faults in POSSIBLE.values() for fault in faults))
_OTHERS = tuple(fault for fault in _FAULTS if fault not in STOPS)


@dataclass(frozen=True)
class Outcome:
    """See the module's docstring. What should be 0 is counted in absolute values over all runs."""

    runs: int
    finished: int
    double_creations: int
    unaccounted_cycles: int
    unaccounted_e8s: int
    corrupt_models: int

    @property
    def good(self) -> bool:
        wrong = (self.double_creations, self.unaccounted_cycles, self.unaccounted_e8s, self.corrupt_models)
        return self.finished == self.runs and not any(wrong)


def singles(
    points: Iterable[int], faults: Iterable[Fault], rests_s: Iterable[int], *, whole: bool, bought: bool = False
) -> Iterator[Case]:
    """Each fault at each point; where it is not possible there, nothing happens."""
    chosen, rests = tuple(faults), tuple(rests_s)
    for point in points:
        for fault in chosen:
            for rest_s in rests:
                yield Case(((point, fault),), rest_s, whole, bought)


def pairs(points: int, *, bought: bool) -> Iterator[Case]:
    """Stopped twice on the short way. A point after the first stop is one of the second life."""
    for first in range(points):
        for second in range(first + 1, points):
            for one in STOPS:
                for other in STOPS:
                    yield Case(((first, one), (second, other)), whole=False, bought=bought)


def short_cases(points: Mapping[Way, int]) -> list[Case]:
    """What fits into a minute. points: of each way."""
    others = list(singles(range(points[WHOLE]), _OTHERS, RESTS_S, whole=True))
    return [
        *singles(range(points[SHORT]), STOPS, RESTS_S, whole=False),
        *singles(range(points[SHORT_BOUGHT]), STOPS, RESTS_S, whole=False, bought=True),
        *singles(range(points[SHORT], points[WHOLE]), STOPS, (0,), whole=True),
        *random.Random(SEED).sample(others, SHORT_CHOICE),
    ]


def all_cases(points: Mapping[Way, int]) -> list[Case]:
    return [
        *singles(range(points[WHOLE]), _FAULTS, RESTS_S, whole=True),
        *singles(range(points[SHORT_BOUGHT]), _FAULTS, RESTS_S, whole=False, bought=True),
        *pairs(points[SHORT], bought=False),
        *pairs(points[SHORT_BOUGHT], bought=True),
    ]


def judge(verdicts: Sequence[tuple[Case, Verdict]], faultless: Mapping[Way, Verdict]) -> Outcome:
    """Holds each case against the same way without troubles."""
    gone = [
        tuple(abs(left - should) for left, should in zip(one.left, faultless[case.way].left, strict=True))
        for case, one in verdicts
    ]
    audits = [one.unaccounted for _, one in verdicts]
    return Outcome(
        runs=len(verdicts),
        finished=sum(one.finished for _, one in verdicts),
        double_creations=sum(max(one.canisters - 1, 0) for _, one in verdicts),
        unaccounted_cycles=sum(cycles for cycles, _ in gone) + sum(abs(cycles) for cycles, _ in audits),
        unaccounted_e8s=sum(e8s for _, e8s in gone) + sum(abs(e8s) for _, e8s in audits),
        corrupt_models=sum(one.corrupt for _, one in verdicts),
    )


def faultless(where: World) -> dict[Way, Verdict]:
    """Each way without troubles."""
    found = {(whole, bought): where.endure(Case(whole=whole, bought=bought)) for whole, bought in WAYS}
    assert all(one.finished and one.canisters == 1 and not one.corrupt for one in found.values())
    return found


def wrong(case: Case, one: Verdict, faultless: Mapping[Way, Verdict]) -> bool:
    return not judge([(case, one)], faultless).good


def _endure_all(cases: Sequence[Case]) -> list[tuple[Case, Verdict]]:
    """In a process of its own, with a world of its own."""
    with world() as where:
        return [(case, where.endure(case)) for case in cases]


def run(*, everything: bool, jobs: int) -> tuple[Outcome, list[Case]]:
    """The outcome, and the cases that went wrong."""
    with world() as where:
        good = faultless(where)
    choose = all_cases if everything else short_cases
    cases = choose({way: one.points for way, one in good.items()})
    parts = [cases[start : start + CASES_IN_A_WORLD] for start in range(0, len(cases), CASES_IN_A_WORLD)]
    fresh = multiprocessing.get_context("spawn")  # forked, wasmtime would wait for threads that are not there
    with ProcessPoolExecutor(jobs, mp_context=fresh) as pool:
        verdicts = [one for part in pool.map(_endure_all, parts) for one in part]
    return judge(verdicts, good), [case for case, one in verdicts if wrong(case, one, good)]


def main() -> int:
    """Exit code 0 where every run finished with one canister, a whole model and every unit of money accounted for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="every trouble at every point, and all pairs of stops")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcome, failed = run(everything=arguments.all, jobs=arguments.jobs)
    for case in failed:
        print(f"went wrong: {case}", file=sys.stderr)
    print(json.dumps(asdict(outcome)) if arguments.json else outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
