"""What a backup holds, part by part: each is written from where it lies and merged in there again.

Models are named, not copied: they can be fetched or rebuilt. The practice network is a rehearsal and stays here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from personal_ai.chat import transfer
from personal_ai.chat.store import ConversationStore
from personal_ai.common.errors import FormatError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.common.paths import Paths
from personal_ai.deployments.burn_history import BurnHistory
from personal_ai.deployments.journal import Journal
from personal_ai.ic.profile import NetworkProfile
from personal_ai.identities.vault import Vault
from personal_ai.identities.vault_content import Content
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from personal_ai.wallet.journal import PaymentJournal

VAULT, CONVERSATION, DEPLOYMENTS, PAYMENTS, CYCLES, SETTINGS, NETWORK, MODELS = (
    "vault",
    "conversation",
    "deployments",
    "payments",
    "cycles",
    "settings",
    "network",
    "models",
)
_SETTINGS_SIZE_MAX_BYTES = 1 << 20
_MODELS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's things, opened."""

    paths: Paths
    vault: Vault
    conversations: ConversationStore
    journal: Journal
    payments: PaymentJournal
    burn: BurnHistory
    library: Library


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model that the backup names. `source` and `revision` say where it can be had, as far as known."""

    name: str
    label: str
    source: str
    revision: str
    quantisation: str
    manifest_sha256: str


def vault_part(profile: Profile) -> bytes:
    """Whoever reads it has read another copy of every imported key."""
    return profile.vault.content().with_keys_exported().to_bytes()


def conversation_parts(profile: Profile) -> Iterator[bytes]:
    """One record for each conversation, so that none is in memory beside another."""
    for summary in profile.conversations.list():
        conversation = profile.conversations.get(summary.id)
        if conversation is not None:
            yield transfer.to_json([conversation])


def deployments_part(profile: Profile) -> bytes:
    return json.dumps(profile.journal.to_records()).encode()


def payments_part(profile: Profile) -> bytes:
    return json.dumps(profile.payments.to_records()).encode()


def cycles_part(profile: Profile) -> bytes:
    return json.dumps(profile.burn.to_records()).encode()


def other_parts(profile: Profile) -> Iterator[tuple[str, bytes]]:
    """Settings, networks of one's own, and the names of the models."""
    with storage_errors("read the settings"):
        if profile.paths.settings.exists():
            yield SETTINGS, profile.paths.settings.read_bytes()
        for path in sorted(profile.paths.networks.glob("*.json")):
            yield NETWORK, path.read_bytes()
    yield MODELS, json.dumps([_reference(package) for package in profile.library.list()]).encode()


def _reference(package: ModelPackage) -> dict[str, str]:
    manifest = package.manifest
    return {
        "name": manifest.name,
        "label": manifest.label,
        "source": manifest.source,
        "revision": manifest.revision,
        "quantisation": manifest.quantisation,
        "manifest_sha256": package.manifest_sha256,
    }


# Reading: everything raises FormatError for what no backup of ours holds


def read_vault(content: bytes) -> Content:
    return Content.from_bytes(content)


def merge_conversation(profile: Profile, content: bytes) -> int:
    """Adds a conversation, or of one that is known the turns that it lacks; gives the number of conversations."""
    found = transfer.from_json(content)
    for conversation in found:
        profile.conversations.merge(conversation)
    return len(found)


def merge_deployments(profile: Profile, content: bytes) -> int:
    """Adds the deployments that are not known; gives their number."""
    return profile.journal.merge(_rows(content))


def merge_payments(profile: Profile, content: bytes) -> int:
    """Adds the payments that are not known; gives their number."""
    return profile.payments.merge(_rows(content))


def merge_cycles(profile: Profile, content: bytes) -> None:
    """Adds readings and budgets that are not there."""
    records = _json(content)
    if not isinstance(records, dict):
        raise FormatError("The history of cycles in this backup is malformed.")
    profile.burn.merge(records)


def _rows(content: bytes) -> list[dict[str, Any]]:
    records = _json(content)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise FormatError("A journal in this backup is malformed.")
    return records


def merge_settings(profile: Profile, content: bytes) -> None:
    """Settings of this computer stay; where there are none, the backup's are taken."""
    if len(content) > _SETTINGS_SIZE_MAX_BYTES or not isinstance(_json(content), dict):
        raise FormatError("The settings in this backup are malformed.")
    if not profile.paths.settings.exists():
        write_atomically(profile.paths.settings, content)


def merge_network(profile: Profile, content: bytes) -> None:
    """A network of the user's own; one of the same name stays."""
    try:
        network = NetworkProfile.from_json(content.decode())
    except UnicodeDecodeError:
        raise FormatError("A network in this backup is malformed.") from None
    path = profile.paths.networks / f"{network.name}.json"
    if not path.exists():
        write_atomically(path, network.to_json().encode())


def missing_models(profile: Profile, content: bytes) -> tuple[ModelReference, ...]:
    """The models that the backup names and this computer has not."""
    listed = _json(content)
    try:
        if not isinstance(listed, list) or len(listed) > _MODELS_MAX:
            raise TypeError
        references = [ModelReference(**{name: str(value) for name, value in one.items()}) for one in listed]
    except (TypeError, AttributeError):
        raise FormatError("The models in this backup are malformed.") from None
    here = {package.manifest_sha256 for package in profile.library.list()}
    return tuple(one for one in references if one.manifest_sha256 not in here)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise FormatError("A part of this backup is malformed.") from None
