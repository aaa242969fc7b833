"""The Identities page: nothing yet, several, each dialog, and a vault that cannot be read."""

from __future__ import annotations

from personal_ai.common.errors import StorageError
from personal_ai.ic.principal import Principal
from personal_ai.identities.vault import Vault
from ui.pages.identities import IdentitiesPage
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.stage import Stage
from ui.widgets.form_dialog import FormDialog
from ui.widgets.identity_card import IdentityCard
from ui.widgets.identity_dialogs import ImportDialog
from ui.widgets.rail import Page

NARROW = (640, 760)
EXCHANGE = "1c7a48ba6a562aa9eaa2481a9049cdf0433b9738c992d698c31d8abf89cadc79"
SISTER = "rrkah-fqaaa-aaaaa-aaaaq-cai"


def identity_scenes() -> list[Scene]:
    return [
        Scene("identities", "empty", page),
        Scene("identities", "filled", page, core=several),
        Scene("identities", "narrow", page, NARROW, several),
        Scene("identities", "error", page, core=Unreadable),
        Scene("identities", "new", _new, core=several),
        Scene("identities", "wrong-word", _wrong_word, core=several),
        Scene("identities", "import", _import, core=several),
        Scene("identities", "export", _export, core=several),
        Scene("identities", "remove-refused", _remove, core=several),
        Scene("identities", "code", _code, core=several),
    ]


class Unreadable(ScriptedCore):
    """Its vault is on a disk that was taken out."""

    @property
    def vault(self) -> Vault:
        raise StorageError(
            "Could not read the vault: the disk does not answer.",
            not_lost="Nothing was changed.",
            next_step="Put the disk back, then try again.",
        )


def several() -> ScriptedCore:
    """A vault with two identities, one of them in use, a watched one and a contact."""
    core = ScriptedCore()
    rowan = core.vault.new_identity("Rowan")
    core.vault.new_identity("Savings")
    core.vault.change_notes(lambda notes: notes.watching("My sister", Principal.from_text(SISTER)))
    core.vault.change_notes(lambda notes: notes.with_contact("Exchange", EXCHANGE))
    core.all_deployments.append(deployment("Rowan", principal=str(rowan.principal)))
    return core


def page(stage: Stage, look: Appearance = Appearance.LIGHT) -> IdentitiesPage:
    """The page, listed."""
    stage.enter(look).shell.show_page(Page.IDENTITIES)
    stage.settle()
    return stage.shell.identities


def card(stage: Stage, name: str) -> IdentityCard:
    return next(one for one in stage.window.findChildren(IdentityCard) if one.accessibleName().startswith(name))


def _new(stage: Stage, look: Appearance) -> None:
    page(stage, look).new_identity()
    stage.draw()


def _wrong_word(stage: Stage, look: Appearance) -> None:
    page(stage, look).verify()
    stage.settle()
    dialog = stage.find(FormDialog)
    for line in dialog.lines:
        line.setText("harvset")
    dialog.go.click()
    stage.settle()


def _import(stage: Stage, look: Appearance) -> None:
    page(stage, look).import_identity()
    stage.find(ImportDialog).kind.setCurrentIndex(1)
    stage.draw()


def _export(stage: Stage, look: Appearance) -> None:
    page(stage, look)
    card(stage, "Savings").export_wanted.emit()
    stage.draw()


def _remove(stage: Stage, look: Appearance) -> None:
    page(stage, look)
    card(stage, "Rowan").remove_wanted.emit()
    stage.find(FormDialog).go.click()
    stage.settle()


def _code(stage: Stage, look: Appearance) -> None:
    page(stage, look)
    card(stage, "Rowan").code_wanted.emit()
    stage.draw()
