"""`tollgate-client verify-events FILE`: proves exported events, or an exported ledger."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tollgate_client import verification
from tollgate_client.verification import NotProved, Proof


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tollgate-client", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify-events", help="prove exported events or an exported ledger, offline")
    verify.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one file, or several that follow another")
    verify.add_argument("--keys", type=Path, required=True, help="a copy of the server's /.well-known/seal-keys.json")
    verify.add_argument("--head", type=Path, action="append", default=[], help="a seal that was kept, as JSON")
    chosen = parser.parse_args(arguments)
    try:
        proof = _verify(chosen.files, chosen.keys, chosen.head)
    except NotProved as error:
        print(f"Not proved. {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(  # noqa: T201
        f"Proved: {proof.log} {proof.first} to {proof.last} of {proof.organization}."
        f" {proof.left_out} left out, personal data of {proof.erased} erased."
    )
    return 0


def _verify(files: Sequence[Path], keys: Path, heads: Sequence[Path]) -> Proof:
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
