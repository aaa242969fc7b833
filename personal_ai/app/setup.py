"""Setting an AI up: which model, where, at what cost, and then its deployment. Each step is kept: left, it is taken up
again, after a restart too. What was chosen lies in a file (docs/formats/setup.md); from the agreed cost on, the journal
of deployments goes on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from personal_ai.app.advice import deployment_plan
from personal_ai.app.networks import PRACTICE
from personal_ai.common.errors import Cancelled
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.deployments.prepayment import Needs, NotFundedError
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import Principal

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace
    from personal_ai.common.jobs import Cancel
    from personal_ai.deployments.fit import Fit
    from personal_ai.deployments.journal import Deployment
    from personal_ai.deployments.plan import Plan
    from personal_ai.identities.linking import LinkWarning
    from personal_ai.wallet.wallet import Preview

_FORMAT_VERSION = 2
_READABLE = (1, _FORMAT_VERSION)  # 1 knew no identity


class Step(StrEnum):
    """What is to be chosen next."""

    MODEL = "model"
    NETWORK = "network"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen so far. deployment: its id in the journal, once an account had to be there to be paid into.

    identity: the principal of one of the vault, under which it is to live; a fresh one where None.
    """

    model: str | None = None
    network: str | None = None
    deployment: str | None = None
    identity: str | None = None

    @property
    def step(self) -> Step:
        if self.model is None:
            return Step.MODEL
        return Step.NETWORK if self.network is None else Step.COST


@dataclass(frozen=True, slots=True)
class Bill:
    """What it costs, itemised, how it is paid, and what the model will be like there and here.

    needs: what lies on the deployment's own account and what is lacking; None on the practice network, whose money
    comes out of nothing. account, principal: where ICP and cycles are to be sent. conversion: of ICP into the cycles
    that are lacking, whether they are there or not. warnings: what paying, or an identity that controls others there
    already, would tie together in public.
    """

    plan: Plan
    fit: Fit
    needs: Needs | None = None
    account: str = ""
    principal: str = ""
    conversion: Preview | None = None
    warnings: tuple[LinkWarning, ...] = ()

    @property
    def payable(self) -> bool:
        """Whether a yes is all that is missing."""
        return self.needs is None or self.conversion is None or self.conversion.affordable


class Setup:
    """One at a time. Raises what its parts raise."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._file = workspace.paths.setup

    def choices(self) -> Choices | None:
        """None where nothing is being set up; a file that says nothing to this program counts as none."""
        if not self._file.exists():
            return None
        with storage_errors("read what was chosen"):
            content = self._file.read_bytes()
        try:
            fields = json.loads(content)
            if fields.pop("version") not in _READABLE:
                return None
            return self._still_there(Choices(**fields))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def choose(self, choices: Choices) -> Choices:
        """Keeps what was chosen. A deployment that was begun for other choices is given up, its account is not."""
        before = self.choices() or Choices()
        if before.deployment and replace(before, deployment=None) != replace(choices, deployment=None):
            choices = replace(choices, deployment=None)
        write_atomically(self._file, json.dumps({"version": _FORMAT_VERSION, **asdict(choices)}).encode())
        return choices

    def words_due(self) -> tuple[int, ...]:
        """Places of the recovery words to be typed again: where the first run was left before that was done."""
        choices = self.choices()
        if choices is None or choices.step is not Step.MODEL or self._workspace.vault.phrase_confirmed:
            return ()
        return self._workspace.vault.places_to_verify()

    def bill(self, cancel: Cancel) -> Bill:
        """What the choices cost. On a network that wants real money the deployment gets its identity for it now.

        Raises Cancelled where a choice is taken back meanwhile, ModelObstaclesError, NetworkError, SecurityError.
        """
        choices = self._complete()
        plan, fit = deployment_plan(self._workspace, choices.model or "", choices.network or "")
        shared = self._sharing(choices)
        if choices.network == PRACTICE:
            return Bill(plan, fit, warnings=shared)
        from personal_ai.app.funding import open_till  # noqa: PLC0415 - it is made of a workspace

        deployment = self._begun(choices)
        owner = Principal.from_text(deployment.principal)
        account = str(AccountIdentifier.of(owner))
        with open_till(self._workspace, deployment) as till:
            try:
                offer = till.offer(cancel)
            except NotFundedError as error:
                return Bill(plan, fit, error.needs, account, str(owner), till.price(error.needs), shared)
        paying = () if offer.warning is None else (offer.warning,)
        return Bill(offer.bill, fit, offer.needs, account, str(owner), offer.conversion, (*shared, *paying))

    def agree(self, bill: Bill, cancel: Cancel) -> Deployment:
        """The yes to a payable bill: converts what must be, and gives what `Workspace.deploy` takes up.

        Nothing is being set up then. Raises what `Wallet.pay` raises; the same call goes on.
        """
        deployment = self._begun(self._complete())
        if bill.conversion is not None:
            from personal_ai.app.funding import open_till  # noqa: PLC0415 - it is made of a workspace

            with open_till(self._workspace, deployment) as till:
                till.convert(bill.conversion, cancel)
        self.drop()
        return deployment

    def drop(self) -> None:
        """Nothing is being set up any more; what was begun in the journal stays there."""
        with storage_errors("forget what was chosen"):
            self._file.unlink(missing_ok=True)

    def _complete(self) -> Choices:
        """Raises Cancelled where a choice was taken back since the cost was asked for."""
        choices = self.choices()
        if choices is None or choices.step is not Step.COST:
            raise Cancelled
        return choices

    def _begun(self, choices: Choices) -> Deployment:
        if choices.deployment is not None:
            return self._workspace.journal.deployment(choices.deployment)
        identity = None if choices.identity is None else Principal.from_text(choices.identity)
        begun = self._workspace.begin(choices.model or "", network=choices.network or "", identity=identity)
        self.choose(replace(choices, deployment=begun.id))
        return begun

    def _sharing(self, choices: Choices) -> tuple[LinkWarning, ...]:
        if choices.identity is None:
            return ()
        owner = Principal.from_text(choices.identity)
        warning = self._workspace.controllers.share_warning(owner, choices.network or "")
        return () if warning is None else (warning,)

    def _still_there(self, choices: Choices) -> Choices:
        """What is gone since, a model say, is to be chosen again."""
        opened = self._workspace
        if choices.model is not None and choices.model not in [one.name for one in opened.models() if not one.embeds]:
            return Choices()
        if choices.network is not None and choices.network not in opened.money.networks():
            return Choices(choices.model)
        if choices.identity is not None and choices.identity not in [str(one.principal) for one in opened.identities()]:
            return replace(choices, identity=None, deployment=None)
        if choices.deployment is not None and choices.deployment not in [one.id for one in opened.deployments()]:
            return replace(choices, deployment=None)
        return choices
