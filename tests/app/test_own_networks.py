"""Networks that a user describes: added, changed, removed, and checked against a real one."""

from __future__ import annotations

import pytest

from personal_ai.app.own_networks import Described
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError, FormatError, NetworkUnreachableError, SecurityError
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.profile import IC, CostTable, NetworkProfile

LOCAL = Described("mine", "http://127.0.0.1:1")
KEY = IC.root_key_der or b""
assert KEY


def test_a_network_is_added_changed_and_removed(workspace: Workspace) -> None:
    networks = workspace.own_networks
    assert networks.all() == (IC,)
    made = networks.add(Described(" mine ", "http://127.0.0.1:4943/, http://localhost:4944"))
    assert (made.kind, made.gateways) == ("local", ("http://127.0.0.1:4943", "http://localhost:4944"))
    assert Described.of(made) == Described("mine", "http://127.0.0.1:4943 http://localhost:4944")
    assert workspace.money.networks() == ("practice", "ic", "mine")
    changed = networks.change(Described("mine", "https://example.org", f"0x{KEY.hex()[:40]}\n{KEY.hex()[40:]}"))
    assert (changed.gateways, changed.root_key_der) == (("https://example.org",), KEY)
    assert networks.all() == (IC, changed)
    networks.remove("mine")
    assert networks.all() == (IC,)
    for act in (networks.remove, networks.check):
        with pytest.raises(BadInputError, match="no network"):
            act("mine")


def test_a_change_keeps_what_only_a_file_can_say(workspace: Workspace) -> None:
    folder = workspace.paths.networks
    folder.mkdir(parents=True)
    costs = CostTable(creation=1)
    before = NetworkProfile("mine", "custom", ("http://127.0.0.1:1",), None, costs=costs)
    (folder / "handmade.json").write_text(before.to_json())
    changed = workspace.own_networks.change(Described("mine", "http://127.0.0.1:2"))
    assert (changed.kind, changed.costs) == ("custom", costs)
    assert [path.name for path in folder.iterdir()] == ["handmade.json"]


@pytest.mark.parametrize(
    ("described", "error"),
    [
        (Described("mine", "https://example.org"), SecurityError),  # no key, and not on this computer
        (Described("mine", "http://example.org", KEY.hex()), SecurityError),  # not encrypted
        (Described("mine", "http://127.0.0.1:1 https://example.org"), SecurityError),  # one of them is elsewhere
        (Described("mine", "https://example.org", "12"), FormatError),
        (Described("mine", "https://example.org", "key"), FormatError),
        (Described("mine", ""), FormatError),
        (Described("mine", "https://example.org/api", KEY.hex()), FormatError),
        (Described("My Network", "http://127.0.0.1:1"), FormatError),
        (Described("../mine", "http://127.0.0.1:1"), FormatError),
        (Described("practice", "http://127.0.0.1:1"), BadInputError),
        (Described("ic", "https://example.org", KEY.hex()), BadInputError),
    ],
)
def test_what_breaks_the_rules_of_keys_and_names_leaves_no_file(
    workspace: Workspace, described: Described, error: type[Exception]
) -> None:
    with pytest.raises(error):
        workspace.own_networks.add(described)
    assert not list(workspace.paths.networks.glob("*"))


def test_a_name_is_given_once_and_a_bad_change_changes_nothing(workspace: Workspace) -> None:
    made = workspace.own_networks.add(LOCAL)
    with pytest.raises(BadInputError, match="already"):
        workspace.own_networks.add(LOCAL)
    with pytest.raises(SecurityError):
        workspace.own_networks.change(Described("mine", "https://example.org"))
    assert workspace.own_networks.all() == (IC, made)


def test_a_network_proves_itself_with_the_key_that_it_is_held_to(workspace: Workspace) -> None:
    running: NetworkProfile = PracticeNetwork(workspace.paths.practice_network).start()
    networks, gateway = workspace.own_networks, running.gateways[0]
    assert running.root_key_der is not None
    networks.add(Described("asked", gateway))
    networks.add(Described("pinned", gateway, running.root_key_der.hex()))
    networks.add(Described("forged", gateway, KEY.hex()))
    networks.add(Described("away", "http://127.0.0.1:1"))
    for name in ("asked", "pinned", "practice"):
        assert networks.check(name).profile.gateways == (gateway,)
    with pytest.raises(SecurityError):
        networks.check("forged")
    with pytest.raises(NetworkUnreachableError):
        networks.check("away")
