"""The history of calls: once each, kept for as long as they could come again, and nothing of a call that was lost."""

from __future__ import annotations

from personal_ai.ic.certificate import Certificate
from personal_ai.ic.hash_tree import Absent, Found, Lookup
from personal_ai.replica.calls import Result
from personal_ai.replica.canisters import CANISTER_RANGES
from personal_ai.replica.envelope import Call
from personal_ai.replica.ingress_history import KEPT_NS, IngressHistory
from personal_ai.replica.messages import Reject, RejectCode
from tests.replica.network.inside import NOW_NS, SECOND_NS, Inside

CANISTER = CANISTER_RANGES[1][0]


def history(inside: Inside) -> IngressHistory:
    return IngressHistory(inside.store, inside.tree, inside.clock)


def field(inside: Inside, call: Call, name: bytes) -> Lookup:
    path = (b"request_status", call.request_id, name)
    root_key_der = inside.network_keys.root.public_key_der
    data = inside.tree.certificate([path[:2]])
    return Certificate.verified(data, root_key_der, canister_id=CANISTER, now_ns=inside.clock.now_ns()).lookup(path)


def end(inside: Inside, calls: IngressHistory, call: Call, result: Result) -> None:
    known, _ = calls.begin(call, call.canister_id)
    with inside.store.transaction() as db:
        calls.finish(db, known, call, result)
    calls.publish(known)


def test_the_life_of_a_call(inside: Inside) -> None:
    calls, call = history(inside), inside.call(CANISTER, "method")
    assert field(inside, call, b"status") == Absent()
    known, is_new = calls.begin(call, CANISTER)
    assert is_new
    assert calls.begin(call, CANISTER) == (known, False)
    assert field(inside, call, b"status") == Found(b"received")
    calls.processing(known)
    assert field(inside, call, b"status") == Found(b"processing")
    with inside.store.transaction() as db:
        calls.finish(db, known, call, Result(reply=b"answer"))
    assert not known.ended.is_set()
    assert field(inside, call, b"status") == Found(b"processing")
    calls.publish(known)
    assert known.ended.is_set()
    assert field(inside, call, b"status") == Found(b"replied")
    assert field(inside, call, b"reply") == Found(b"answer")


def test_rejections_tell_why(inside: Inside) -> None:
    calls, call = history(inside), inside.call(CANISTER, "method")
    end(inside, calls, call, Result(reject=Reject(RejectCode.CANISTER_ERROR, "because", "IC0503")))
    expected = {b"status": b"rejected", b"reject_code": b"\5", b"reject_message": b"because", b"error_code": b"IC0503"}
    for name, value in expected.items():
        assert field(inside, call, name) == Found(value)
    assert field(inside, call, b"reply") == Absent()


def test_both_ends_survive_a_restart(inside: Inside) -> None:
    calls = history(inside)
    replied, rejected = inside.call(CANISTER, "one"), inside.call(CANISTER, "two")
    waiting = inside.call(CANISTER, "three")
    end(inside, calls, replied, Result(reply=b""))
    end(inside, calls, rejected, Result(reject=Reject(RejectCode.CANISTER_REJECT, "no", "IC0406")))
    calls.begin(waiting, CANISTER)
    again = history(inside)
    for call, result in ((replied, Result(reply=b"")), (rejected, calls.find(rejected.request_id).result)):  # type: ignore[union-attr]
        known = again.find(call.request_id)
        assert known is not None
        assert known.result == result
        assert known.ended.is_set()
        assert not again.begin(call, CANISTER)[1]
    assert again.find(waiting.request_id) is None


def test_calls_are_forgotten_when_they_cannot_come_again(inside: Inside) -> None:
    calls, call = history(inside), inside.call(CANISTER, "method")
    end(inside, calls, call, Result(reply=b""))
    assert call.ingress_expiry_ns < NOW_NS + KEPT_NS
    inside.clock.time_ns = NOW_NS + KEPT_NS
    calls.forget_old()
    assert calls.find(call.request_id) is not None
    inside.clock.time_ns += 1
    calls.forget_old()
    assert calls.find(call.request_id) is None
    assert field(inside, call, b"status") == Absent()
    assert history(inside).find(call.request_id) is None


def test_a_late_expiry_keeps_a_call_longer(inside: Inside) -> None:
    calls, call = history(inside), inside.call(CANISTER, "method")
    inside.clock.time_ns -= 300 * SECOND_NS
    end(inside, calls, call, Result(reply=b""))
    inside.clock.time_ns = call.ingress_expiry_ns
    calls.forget_old()
    assert calls.find(call.request_id) is not None


def test_a_lost_call_may_come_again(inside: Inside) -> None:
    calls, call = history(inside), inside.call(CANISTER, "method")
    known, _ = calls.begin(call, CANISTER)
    calls.lose(known, "the disk is full")
    assert (known.ended.is_set(), known.lost) == (True, "the disk is full")
    assert field(inside, call, b"status") == Absent()
    assert calls.begin(call, CANISTER)[1]
