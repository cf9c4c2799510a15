"""`tollgate-client tail FILE` reports a proxy's access log; `verify-events` and `verify-finance` prove exports."""

import argparse
import json
import logging
import os
import signal
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tollgate_client import verification
from tollgate_client.access_log import FIELDS, Format
from tollgate_client.client import Client
from tollgate_client.reporter import Reporter
from tollgate_client.spool import Spool
from tollgate_client.tail import Tail
from tollgate_client.verification import NotProved, Proof

VARIABLE = "TOLLGATE_PLATFORM_KEY"
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)  # a file that is missing, or none of ours


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    return int(chosen.run(chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tollgate-client", description=__doc__)
    commands = parser.add_subparsers(required=True)
    verify = commands.add_parser("verify-events", help="prove exported events or an exported ledger, offline")
    verify.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one file, or several that follow another")
    verify.add_argument("--keys", type=Path, required=True, help="a copy of the server's /.well-known/seal-keys.json")
    verify.add_argument("--head", type=Path, action="append", default=[], help="a seal that was kept, as JSON")
    verify.set_defaults(run=_verify)
    finance = commands.add_parser("verify-finance", help="prove a finance package, offline")
    finance.add_argument("file", type=Path, metavar="FILE", help="the ZIP of a month")
    finance.add_argument("--keys", type=Path, required=True, help="a copy of the server's /.well-known/seal-keys.json")
    finance.set_defaults(run=_verify_package)
    tail = commands.add_parser("tail", help=f"report the requests of an access log; the platform key is in {VARIABLE}")
    tail.add_argument("file", type=Path, metavar="FILE", help="the log that the proxy writes: JSON or combined")
    tail.add_argument("--url", required=True, help="Tollgate's address")
    tail.add_argument("--spool", type=Path, required=True, help="the file that keeps what isn't acknowledged yet")
    tail.add_argument("--set", action="append", default=[], type=_pair, metavar="MEMBER=VALUE", help="for all events")
    tail.add_argument(
        "--field", action="append", default=[], type=_pair, metavar="MEMBER=PATH", help="where JSON has it: a.b.c"
    )
    tail.add_argument("--once", action="store_true", help="stop at the end of the log")
    tail.set_defaults(run=_tail)
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in FIELDS or not value:
        raise argparse.ArgumentTypeError(f"expected MEMBER=…, with one of {', '.join(FIELDS)}")
    return name, value


def _tail(chosen: argparse.Namespace) -> int:
    """Follows the log until it's stopped. What couldn't be sent stays in the spool, for the next time."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    if VARIABLE not in os.environ:
        return _complain(f"Put the platform key into {VARIABLE}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    tail = Tail(chosen.file, Spool(chosen.spool), Format(dict(chosen.set), {**FIELDS, **dict(chosen.field)}))
    with Reporter(Client(chosen.url, os.environ[VARIABLE]), tail.spool):
        while tail.catch_up() or tail.is_waiting or not chosen.once:
            time.sleep(1)
    waiting = tail.spool.waiting()
    return _complain(f"{waiting} requests wait in the spool: Tollgate didn't take them.") if waiting else 0


def _verify(chosen: argparse.Namespace) -> int:
    try:
        proof = _prove(chosen.files, chosen.keys, chosen.head)
    except NotProved as error:
        return _complain(f"Not proved. {error}")
    except UNREADABLE as error:
        return _complain(f"A file can't be read. {type(error).__name__}: {error}")
    print(  # noqa: T201
        f"Proved: {proof.log} {proof.first} to {proof.last} of {proof.organization or 'the company'}."
        f" {proof.left_out} left out, personal data of {proof.erased} erased."
    )
    return 0


def _verify_package(chosen: argparse.Namespace) -> int:
    try:
        with zipfile.ZipFile(chosen.file) as archive:
            claims = verification.verify_package(archive, json.loads(chosen.keys.read_text())["keys"])
    except (NotProved, zipfile.BadZipFile) as error:
        return _complain(f"Not proved. {error}")
    except UNREADABLE as error:
        return _complain(f"A file can't be read. {type(error).__name__}: {error}")
    print(f"Proved: {len(claims['files'])} tables of {claims['month']}, signed by {claims['iss']}.")  # noqa: T201
    return 0


def _complain(text: str) -> int:
    print(text, file=sys.stderr)  # noqa: T201
    return 1


def _prove(files: Sequence[Path], keys: Path, heads: Sequence[Path]) -> Proof:
    published = json.loads(keys.read_text())["keys"]
    proof: Proof | None = None
    digests: dict[int, bytes] = {}
    for file in files:
        with file.open(encoding="utf-8", newline="\n") as lines:
            proof = verification.verify(lines, published, proof)
        digests.update(proof.digests)
    assert proof is not None
    proof.digests = digests
    for head in heads:
        seal = json.loads(head.read_text())  # an answer of /v1/events/head, or an event_log.sealed
        verification.check_head(proof, seal.get("data", seal)["signature"], published)
    return proof


if __name__ == "__main__":
    sys.exit(main())
