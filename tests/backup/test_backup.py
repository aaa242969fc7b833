from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from personal_ai.backup import backup, parts, sealed_file
from personal_ai.backup.parts import Profile
from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.chat.store import ConversationStore
from personal_ai.common.errors import BadInputError, Cancelled, FormatError, StorageError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from personal_ai.deployments.burn_history import Budget, BurnHistory
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.runway import Reading
from personal_ai.ic.profile import NetworkProfile
from personal_ai.identities.errors import WrongPasswordError
from personal_ai.identities.vault import Vault
from personal_ai.identities.vault_content import Content
from personal_ai.identities.vault_file import ScryptCost
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.wallet.journal import Kind, PaymentJournal
from tests.support.checkpoints import Shape, write_checkpoint

CHEAP = ScryptCost(n=1 << 4)
PHRASE = "abandon " * 11 + "about"
OTHER_PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
PASSWORD = "of the backup"
BUDGET = Budget(10**12, 90)

Open = Callable[[str, Content | str], Profile]


@pytest.fixture
def open_profile(tmp_path: Path) -> Iterator[Open]:
    """Makes a profile of a name, from a phrase or the content of a vault."""
    with ExitStack() as closing:

        def make(name: str, vault_of: Content | str) -> Profile:
            paths = Paths(tmp_path / name)
            if isinstance(vault_of, str):
                vault = Vault.create(paths.vault, vault_of, "of the vault", cost=CHEAP)
            else:
                vault = Vault.restore(paths.vault, vault_of, "of the vault", cost=CHEAP)
            store = ConversationStore(paths.conversations, vault.database_key("conversations"))
            journal = Journal(paths.journal)
            closing.callback(store.close)
            closing.callback(journal.close)
            payments = PaymentJournal(paths.payments)
            closing.callback(payments.close)
            burn = BurnHistory(paths.burn)
            closing.callback(burn.close)
            return Profile(paths, vault, store, journal, payments, burn, Library(paths.models))

        yield make


@pytest.fixture
def full(open_profile: Open) -> Profile:
    """A profile with something of everything."""
    profile = open_profile("old", PHRASE)
    record = profile.vault.new_identity("Rowan")
    profile.vault.import_phrase("old", OTHER_PHRASE)
    profile.vault.change_notes(lambda notes: notes.with_contact("Ann", "aaaaa-aa"))
    conversation = Conversation("m").with_turn(Turn("user", "a question")).with_turn(Turn("assistant", "an answer"))
    profile.conversations.save(conversation)
    profile.journal.begin(_deployment(str(record.principal)))
    profile.journal.intend("aa" * 16, "create", created_at_time_ns=5, amount_cycles=1 << 70, envelope=b"signed")
    profile.journal.finish("aa" * 16, "create", result="aaaaa-aa", block_index=7)
    profile.payments.intend("ic", str(record.principal), Kind.SEND_CYCLES, target="aaaaa-aa", amount=1 << 70, fee=1)
    profile.burn.note("ic", "aaaaa-aa", 1 << 70, 5)
    profile.burn.set_budget("ic", "aaaaa-aa", BUDGET)
    profile.paths.settings.write_text('{"appearance": "dark"}')
    profile.paths.networks.mkdir()
    network = NetworkProfile("mine", "local", ("http://127.0.0.1:4943",), None)
    (profile.paths.networks / "mine.json").write_text(network.to_json())
    return profile


def _deployment(principal: str) -> Deployment:
    return Deployment("aa" * 16, "Rowan", "ic", principal, "m", "00" * 32, DeploymentState.ACTIVE, 1, "aaaaa-aa")


def _backup(profile: Profile, target: Path) -> Path:
    backup.create(profile, target, PASSWORD, cost=CHEAP)
    return target


def test_a_new_computer_gets_everything(full: Profile, open_profile: Open, tmp_path: Path) -> None:
    file = _backup(full, tmp_path / "backup")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made: list[Profile] = []

    def open_new(content: Content) -> Profile:
        made.append(open_profile("new", content))
        return made[0]

    restored = backup.restore(file, PASSWORD, open_new)
    assert (restored.conversations, restored.deployments, restored.missing_models) == (1, 1, ())
    [new] = made
    assert new.vault.reveal_phrase() == PHRASE and new.vault.identities == full.vault.identities
    assert new.vault.notes == full.vault.notes
    assert [one.title for one in new.conversations.list()] == ["a question"]
    assert new.journal.deployments() == full.journal.deployments()
    step = new.journal.step("aa" * 16, "create")
    assert step is not None and (step.created_at_time_ns, step.amount_cycles, step.done) == (5, 1 << 70, True)
    paid = str(full.vault.identities[0].principal)
    assert new.payments.payments("ic", paid) == full.payments.payments("ic", paid) != []
    assert new.burn.readings("ic", "aaaaa-aa") == [Reading(5, 1 << 70)]
    assert new.burn.budget("ic", "aaaaa-aa") == replace(BUDGET, paused=True), "another computer may be spending it"
    new.burn.set_budget("ic", "aaaaa-aa", Budget(1, 1))
    assert new.paths.settings.read_text() == full.paths.settings.read_text()
    assert (new.paths.networks / "mine.json").exists()
    again = backup.restore(file, PASSWORD, lambda _: new)
    assert new.burn.budget("ic", "aaaaa-aa") == Budget(1, 1), "what is here stays"
    assert again.deployments == 0 and len(new.conversations.list()) == 1 and len(new.vault.identities) == 2


def test_what_is_here_stays(full: Profile, open_profile: Open, tmp_path: Path) -> None:
    file = _backup(full, tmp_path / "backup")
    here = open_profile("here", OTHER_PHRASE)
    here.vault.new_identity("mine")
    here.vault.change_notes(lambda notes: notes.with_contact("Ann", "2vxsx-fae"))
    [theirs] = [full.conversations.get(one.id) for one in full.conversations.list()]
    assert theirs is not None
    here.conversations.save(replace(theirs, title="mine", turns=theirs.turns[:1]))
    here.journal.begin(replace(_deployment("2vxsx-fae"), name="mine"))
    here.paths.settings.write_text("{}")
    restored = backup.restore(file, PASSWORD, lambda _: here)
    assert [record.label for record in here.vault.identities] == ["mine", "Rowan"]  # "old" is identity 0 here
    assert here.vault.reveal_phrase() == OTHER_PHRASE and here.vault.notes.contacts[0].address == "2vxsx-fae"
    assert restored.deployments == 0 and here.journal.deployments()[0].name == "mine"
    kept = here.conversations.get(theirs.id)
    assert kept is not None and kept.title == "mine" and len(kept.everything) == 2
    assert here.paths.settings.read_text() == "{}"


def test_models_are_named_and_those_that_lack_are_told(full: Profile, open_profile: Open, tmp_path: Path) -> None:
    package = import_folder(write_checkpoint(tmp_path / "checkpoint", Shape()), full.library, name="small")
    file = _backup(full, tmp_path / "backup")
    assert file.stat().st_size < package.size_bytes
    restored = backup.restore(file, PASSWORD, lambda content: open_profile("new", content))
    [missing] = restored.missing_models
    assert (missing.name, missing.manifest_sha256) == ("small", package.manifest_sha256)
    assert backup.restore(file, PASSWORD, lambda _: full).missing_models == ()


def test_imported_keys_count_as_backed_up(full: Profile, tmp_path: Path) -> None:
    assert [record.restorable for record in full.vault.identities] == [False, False]
    _backup(full, tmp_path / "backup")
    assert [record.restorable for record in full.vault.identities] == [False, True]


def test_a_backup_is_never_written_over_and_leaves_nothing_half(full: Profile, tmp_path: Path) -> None:
    file = _backup(full, tmp_path / "backup")
    before = file.read_bytes()
    with pytest.raises(BadInputError, match="already"):
        _backup(full, file)
    with pytest.raises(BadInputError, match="password"):
        backup.create(full, tmp_path / "other", "")
    stop = Cancel()
    stop.cancel()
    with pytest.raises(Cancelled):
        backup.create(full, tmp_path / "other", PASSWORD, cancel=stop, cost=CHEAP)
    assert file.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name in ("other",) or path.name.startswith(".")]


def test_a_full_disk_confirms_nothing(full: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_room)
    with pytest.raises(StorageError, match="full"):
        _backup(full, tmp_path / "backup")
    assert not any(record.restorable for record in full.vault.identities)


def test_a_wrong_password_or_a_damaged_file_opens_nothing(full: Profile, tmp_path: Path) -> None:
    file = _backup(full, tmp_path / "backup")

    def never(_: Content) -> Profile:
        raise AssertionError("opened")

    with pytest.raises(WrongPasswordError):
        backup.restore(file, "another", never)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises((FormatError, WrongPasswordError)):
        backup.restore(file, PASSWORD, never)


def _hostile(path: Path, vault: bytes, *others: tuple[str, bytes]) -> Path:
    with path.open("wb") as file:
        writer = sealed_file.Writer(file, PASSWORD, CHEAP)
        for kind, content in ((parts.VAULT, vault), *others):
            writer.add(kind, content)
        writer.finish()
    return path


@pytest.mark.parametrize(
    "part",
    [
        (parts.VAULT, b"x"),
        (parts.CONVERSATION, b"{}"),
        (parts.CONVERSATION, b"[" * 100_000),
        (parts.DEPLOYMENTS, b"{}"),
        (parts.DEPLOYMENTS, b"[1]"),
        (parts.DEPLOYMENTS, b'[{"id": "x"}]'),
        (parts.DEPLOYMENTS, b'[{"id": "x", "state": "active", "steps": []}]'),
        (parts.PAYMENTS, b"[[]]"),
        (parts.PAYMENTS, b'[{"id": "x"}]'),
        (
            parts.PAYMENTS,
            b'[{"id": "x", "network": "ic", "principal": "x", "kind": "gift", "target": "x", "amount": "1", '
            b'"fee": "1", "created_at_time_ns": 1, "state": "intended", "block_index": null, "cycles": null, '
            b'"said": null, "ended_at_ns": null}]',
        ),
        (parts.CYCLES, b"[]"),
        (parts.CYCLES, b'{"reading": []}'),
        (
            parts.CYCLES,
            b'{"reading": [{"network": "ic", "canister_id": "x", "time_ns": 1, "cycles": "x"}], "budget": []}',
        ),
        (
            parts.CYCLES,
            b'{"reading": [], "budget": [{"network": "ic", "canister_id": "x", "cycles_per_30_days": "-1", '
            b'"keep_days": 1}]}',
        ),
        (parts.SETTINGS, b"[]"),
        (parts.NETWORK, b"\xff"),
        (parts.NETWORK, b'{"version": 1, "name": "../../x", "kind": "local", "gateways": ["http://127.0.0.1:1"]}'),
        (parts.MODELS, b'[{"name": "x"}]'),
        (parts.MODELS, b"5"),
    ],
)
def test_parts_that_nobody_of_us_wrote_are_refused(full: Profile, tmp_path: Path, part: tuple[str, bytes]) -> None:
    file = _hostile(tmp_path / "hostile", full.vault.content().to_bytes(), part)
    with pytest.raises(FormatError):
        backup.restore(file, PASSWORD, lambda _: full)
    assert len(full.journal.deployments()) == 1 and len(full.payments.to_records()) == 1


def test_parts_of_later_versions_are_passed_over(full: Profile, tmp_path: Path) -> None:
    file = _hostile(tmp_path / "later", full.vault.content().to_bytes(), ("wallet", b"?"))
    assert backup.restore(file, PASSWORD, lambda _: full).conversations == 0


def test_secrets_of_a_backup_are_not_in_clear(full: Profile, tmp_path: Path) -> None:
    content: Any = _backup(full, tmp_path / "backup").read_bytes()
    for secret in (b"abandon", b"a question", b"legal winner", b"Rowan"):
        assert secret not in content


def test_the_golden_backup_restores(open_profile: Open) -> None:
    """Written by version 1; it must restore for ever."""
    golden = Path(__file__).parent / "golden" / "backup-v1.bin"
    made: list[Profile] = []

    def open_new(content: Content) -> Profile:
        made.append(open_profile("new", content))
        return made[0]

    restored = backup.restore(golden, "golden password", open_new)
    assert (restored.conversations, restored.deployments) == (1, 1)
    [new] = made
    assert new.vault.identities[0].label == "Rowan" and new.journal.deployments()[0].canister_id == "aaaaa-aa"
