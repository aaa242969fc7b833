"""`personal-ai wallet`: what an identity has, receiving, sending, and ICP into cycles."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from personal_ai.app.money import link_warning, open_wallet
from personal_ai.app.workspace import PRACTICE
from personal_ai.cli.console import ProgressLine, cycles, duration, print_listing, stoppable
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.common.errors import BadInputError
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.history import History, HistoryItem
from personal_ai.wallet.journal import Kind, Payment
from personal_ai.wallet.wallet import Preview, Wallet

_NS_PER_S = 10**9


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("wallet", help="ICP and cycles of an identity").add_subparsers(required=True)
    _add(group, "balance", _balance, "what lies on its accounts, and today's rate")
    _add(group, "receive", _receive, "its addresses for ICP and for cycles")
    send = _add(group, "send", _send, "pay somebody, or top up a canister with cycles")
    send.add_argument("token", choices=[token.code for token in Token])
    send.add_argument("amount", help="like 1.25, in ICP or in trillions of cycles")
    send.add_argument("to", help="an account identifier or principal; with cycles also a canister to top up")
    send.add_argument("--top-up", action="store_true", help="put the cycles into the canister, not on its account")
    _add_yes(send)
    convert = _add(group, "convert", _convert, "turn ICP into cycles on the cycles ledger or in a canister")
    convert.add_argument("amount", help="how many ICP, like 1.25")
    convert.add_argument("--into", metavar="CANISTER", help="a canister to top up; one's own account if not given")
    _add_yes(convert)
    _add(group, "resume", _resume, "go on with payments that were interrupted")
    history = _add(group, "history", _history, "what happened on its accounts, newest first")
    history.add_argument("--count", type=int, default=50, help="how many movements of each token (default: 50)")
    faucet = _add(group, "faucet", _faucet, "practice money, which is worth nothing: on the practice network only")
    faucet.add_argument("token", choices=[token.code for token in Token])
    faucet.add_argument("amount", help="like 10")


def _add(
    group: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, text: str
) -> argparse.ArgumentParser:
    command = group.add_parser(name, help=text)
    command.add_argument("--identity", help="a label or a principal; the identity Wallet, made at need, if not given")
    command.add_argument("--network", default=PRACTICE)
    command.add_argument("--json", action="store_true", help="one JSON object on the output")
    add_password_option(command)
    command.set_defaults(run=run)
    return command


def _add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="pay without asking")
    command.add_argument("--linked", action="store_true", help="pay although that ties identities together in public")


@contextmanager
def _wallet(arguments: argparse.Namespace) -> Iterator[Wallet]:
    with workspace(arguments, unlock=True) as opened, open_wallet(opened, arguments.network, arguments.identity) as one:
        yield one


def _balance(arguments: argparse.Namespace) -> None:
    with _wallet(arguments) as wallet:
        balances, rate = wallet.balances(), wallet.rate()
    age_s = max(round(time.time()) - rate.timestamp_s, 0)
    if arguments.json:
        fields = {**asdict(balances), "xdr_permyriad_per_icp": rate.xdr_permyriad_per_icp, "rate_age_s": age_s}
        print(json.dumps({"principal": str(wallet.principal), **fields}))
        return
    print(f"{Token.ICP.show(balances.icp_e8s)}\n{cycles(balances.cycles)}")
    print(f"1 ICP comes to {cycles(rate.cycles(10**Token.ICP.digits))} (rate {duration(age_s)} old).")


def _receive(arguments: argparse.Namespace) -> None:
    with _wallet(arguments) as wallet:
        addresses = {"account": str(wallet.account), "principal": str(wallet.principal)}
    if arguments.json:
        print(json.dumps(addresses))
        return
    print(f"ICP:    {addresses['account']}\nCycles: {addresses['principal']}")
    print("Everybody can see both on the ledgers, with all that they ever receive and send.")


def _send(arguments: argparse.Namespace) -> None:
    token = Token.of(arguments.token)
    if token is Token.ICP and arguments.top_up:
        raise BadInputError("A canister is topped up with cycles.", next_step="Use: wallet convert --into CANISTER")
    kind = Kind.SEND_ICP if token is Token.ICP else Kind.TOP_UP if arguments.top_up else Kind.SEND_CYCLES
    _pay(arguments, kind, token.parse(arguments.amount), arguments.to)


def _convert(arguments: argparse.Namespace) -> None:
    kind = Kind.CONVERT if arguments.into is None else Kind.CONVERT_TOP_UP
    _pay(arguments, kind, Token.ICP.parse(arguments.amount), arguments.into)


def _pay(arguments: argparse.Namespace, kind: Kind, amount: int, target: str | None) -> None:
    with (
        workspace(arguments, unlock=True) as opened,
        open_wallet(opened, arguments.network, arguments.identity) as wallet,
        stoppable() as cancel,
    ):
        preview = wallet.preview(kind, amount, target)
        print(described(preview), file=sys.stderr)
        warning = link_warning(opened, wallet, preview)
        if warning is not None and not arguments.linked:
            raise BadInputError(str(warning), not_lost="Nothing was paid.", next_step="To pay anyway: --linked")
        if preview.affordable and not arguments.yes and not confirmed():
            raise BadInputError("Nothing was paid.", next_step="Use --yes to pay without being asked.")
        payment = wallet.pay(preview, cancel)
    _show_payment(arguments, payment)


def described(preview: Preview) -> str:
    token = preview.kind.token
    line = f"{token.show(preview.amount)} to {preview.target}, fee {token.show(preview.fee)}, "
    line += f"together {token.show(preview.total)} of {token.show(preview.available)}."
    return line if preview.cycles is None else f"{line} It brings about {cycles(preview.cycles)}."


def confirmed() -> bool:
    """Asks on a terminal; elsewhere the answer is no."""
    return sys.stdin.isatty() and input("Pay this? [y/N] ").strip().lower() in ("y", "yes")


def _resume(arguments: argparse.Namespace) -> None:
    with _wallet(arguments) as wallet, stoppable() as cancel:
        ended = [wallet.go_on(payment, cancel) for payment in wallet.open_payments()]
    if arguments.json:
        print(json.dumps({"payments": [payment_fields(payment) for payment in ended]}))
        return
    for payment in ended:
        print(payment_line(payment))
    print(f"{len(ended)} payment(s) gone on with.")


def _show_payment(arguments: argparse.Namespace, payment: Payment) -> None:
    print(json.dumps(payment_fields(payment)) if arguments.json else payment_line(payment))


def payment_fields(payment: Payment) -> dict[str, object]:
    return {**asdict(payment), "kind": payment.kind.value, "state": payment.state.value}


def payment_line(payment: Payment) -> str:
    block = "" if payment.block_index is None else f" (block {payment.block_index})"
    brought = "" if payment.cycles is None else f": {cycles(payment.cycles)}"
    return (
        f"{payment.kind} {payment.kind.token.show(payment.amount)} to {payment.target}: {payment.state}{block}{brought}"
    )


def _history(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.count <= 1000:
        raise BadInputError("A history shows 1 to 1000 movements.")
    with _wallet(arguments) as wallet, stoppable() as cancel:
        history = wallet.history(arguments.count, ProgressLine(), cancel)
    if arguments.json:
        print(json.dumps(_history_fields(history)))
        return
    moved = [_history_line(item) for item in history.items] + [payment_line(one) for one in history.unsettled]
    print_listing(moved, "Nothing has come in or gone out yet.")
    if history.cycles_from_block:
        print(f"The cycles ledger was read back to block {history.cycles_from_block} only.")


def _history_fields(history: History) -> dict[str, object]:
    return {
        "items": [
            {
                "token": item.token.code, "time_ns": item.time_ns, "block_index": item.block_index,
                "operation": item.operation, "change": item.change, "counterpart": item.counterpart,
                "payment": item.payment and item.payment.id,
            }
            for item in history.items
        ],
        "unsettled": [payment_fields(payment) for payment in history.unsettled],
        "cycles_from_block": history.cycles_from_block,
    }  # fmt: skip


def _history_line(item: HistoryItem) -> str:
    when = datetime.fromtimestamp(item.time_ns / _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    sign, amount = ("-" if item.change < 0 else "+"), item.token.show(abs(item.change))
    purpose = item.payment.kind if item.payment else item.operation
    return f"{when}  {sign}{amount}  {purpose}  {item.counterpart or ''}".rstrip()


def _faucet(arguments: argparse.Namespace) -> None:
    if arguments.network != PRACTICE:
        raise BadInputError("Money comes out of nothing on the practice network only.")
    token = Token.of(arguments.token)
    amount = token.parse(arguments.amount)
    with (
        workspace(arguments, unlock=True) as opened,
        open_wallet(opened, arguments.network, arguments.identity) as wallet,
    ):
        give = opened.practice_network.fund_icp if token is Token.ICP else opened.practice_network.fund
        give(wallet.principal, amount)
    print(json.dumps({"given": amount}) if arguments.json else f"{token.show(amount)} of practice money are there.")
