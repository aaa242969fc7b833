"""Making a backup, and merging one in. What is here is never lost by it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from personal_ai.backup import parts, sealed_file
from personal_ai.backup.parts import ModelReference, Profile
from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.files import storage_errors, sync_folder
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.identities.vault_content import Content
from personal_ai.identities.vault_file import ScryptCost


@dataclass(frozen=True, slots=True)
class Restored:
    """What a backup brought. deployments: those that were not known. missing_models: to be fetched or rebuilt."""

    conversations: int
    deployments: int
    missing_models: tuple[ModelReference, ...]


def create(
    profile: Profile,
    target: Path,
    password: str,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
    cost: ScryptCost | None = None,
) -> None:
    """Writes everything into `target` (mode 0600), reads it back, and only then lets it appear.

    Raises BadInputError for a file that is there already or an empty password, FormatError, StorageError, Cancelled.
    """
    if target.exists():
        raise BadInputError(f"{target.name} is there already.", next_step="Choose another file.")
    if not password:
        raise BadInputError("A backup needs a password.", next_step="Choose one that nobody guesses.")
    cancel = cancel or Cancel()
    with storage_errors(f"save {target.name}"):
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        aside = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                writer = sealed_file.Writer(file, password, cost)
                written = _write(profile, writer, on_progress, cancel)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                if sum(1 for _ in sealed_file.records(file, password)) != written:
                    raise FormatError("The backup could not be read back.", not_lost="Nothing was changed.")
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    profile.vault.confirm_backup()


def _write(profile: Profile, writer: sealed_file.Writer, on_progress: ProgressCallback, cancel: Cancel) -> int:
    """Gives the number of records."""
    count = 4
    writer.add(parts.VAULT, parts.vault_part(profile))
    writer.add(parts.DEPLOYMENTS, parts.deployments_part(profile))
    writer.add(parts.PAYMENTS, parts.payments_part(profile))
    writer.add(parts.CYCLES, parts.cycles_part(profile))
    for kind, content in parts.other_parts(profile):
        writer.add(kind, content)
        count += 1
    meter = Meter("Saving conversations", len(profile.conversations.list()), "conversations", on_progress)
    for content in parts.conversation_parts(profile):
        cancel.raise_if_cancelled()
        writer.add(parts.CONVERSATION, content)
        meter.advance()
        count += 1
    writer.finish()
    return count


def restore(
    source: Path,
    password: str,
    open_profile: Callable[[Content], Profile],
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> Restored:
    """Merges a backup in. Before anything is changed, the whole file is read and found genuine.

    open_profile: opens this computer's profile, with a new vault of the given content where there is none yet.
    A second time brings nothing new, so a restore that was broken off is simply done again.
    Raises WrongPasswordError, FormatError, UnknownVersionError, StorageError, Cancelled, and what opening raises.
    """
    cancel = cancel or Cancel()
    vault, kinds = _checked(source, password, on_progress, cancel)
    profile = open_profile(vault)
    profile.vault.merge(vault)
    conversations = deployments = 0
    missing: tuple[ModelReference, ...] = ()
    meter = Meter("Restoring", kinds, "parts", on_progress)
    with storage_errors("read the backup"), source.open("rb") as file:
        for kind, content in sealed_file.records(file, password):
            cancel.raise_if_cancelled()
            match kind:
                case parts.CONVERSATION:
                    conversations += parts.merge_conversation(profile, content)
                case parts.DEPLOYMENTS:
                    deployments += parts.merge_deployments(profile, content)
                case parts.PAYMENTS:
                    parts.merge_payments(profile, content)
                case parts.CYCLES:
                    parts.merge_cycles(profile, content)
                case parts.SETTINGS:
                    parts.merge_settings(profile, content)
                case parts.NETWORK:
                    parts.merge_network(profile, content)
                case parts.MODELS:
                    missing = parts.missing_models(profile, content)
            meter.advance()
    return Restored(conversations, deployments, missing)


def _checked(source: Path, password: str, on_progress: ProgressCallback, cancel: Cancel) -> tuple[Content, int]:
    """The vault in the backup and the number of records. Raises FormatError where there is not exactly one vault."""
    vaults: list[Content] = []
    count = 0
    with storage_errors("read the backup"), source.open("rb") as file:
        meter = Meter("Checking the backup", os.fstat(file.fileno()).st_size, "bytes", on_progress)
        for kind, content in sealed_file.records(file, password):
            cancel.raise_if_cancelled()
            count += 1
            meter.advance(len(content))
            if kind == parts.VAULT:
                vaults.append(parts.read_vault(content))
    if len(vaults) != 1:
        raise FormatError("This backup holds no vault.", not_lost="Nothing here was changed.")
    return vaults[0], count
