"""Proves exported events or an exported ledger, offline. It needs the file and the server's published keys."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

# What stands before a SHA-256 digest in a signature of RS256 (RFC 8017, 9.2).
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
TYPE = "tollgate-seal+jws"
SEAL = "seal.json"
MEMBERS = {"tollgate-events/1": ("event", "sequence"), "tollgate-ledger/1": ("entry", "id")}
HEADER = {"format", "organization", "first", "previous"}
BESIDE = {"digest", "personal", "salt"}  # what may stand beside a row
LEFT_OUT = {"sequence", "line", "digest"}
SALT_BYTES = 16
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)

Claims = Mapping[str, Any]


class NotProved(Exception):
    """The file differs from what the server sealed. `row` is the number of the first wrong row in the log."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"row {row}: {reason}")
        self.row = row


@dataclass
class Proof:
    """What was proved: rows from `first` to `last` of a log. Some of them may be left out of the file."""

    log: str
    organization: str | None  # none in the company's own log
    first: int
    last: int
    digest: bytes
    left_out: int = 0
    erased: int = 0
    digests: dict[int, bytes] = field(default_factory=dict)
    balance: Decimal | None = None


def verify(lines: Iterable[str], keys: Sequence[Mapping[str, str]], before: Proof | None = None) -> Proof:
    """Proves a file, which may go on from the one `before`. Raises `NotProved`."""
    rows = iter(lines)
    try:
        proof = _begin(next(rows, ""))
    except MALFORMED as error:
        raise NotProved(0, "this is no export of Tollgate's") from error
    if before:
        if (before.last + 1, before.digest) != (proof.first, proof.digest):
            raise NotProved(proof.first, "it doesn't follow from the file before")
        proof.balance = before.balance
    try:
        _read(proof, rows, keys)
    except MALFORMED as error:
        raise NotProved(proof.last + 1, f"it can't be read: {error}") from error
    return proof


def _begin(text: str) -> Proof:
    header = _members(text, HEADER)
    if header["format"] not in MEMBERS:
        raise ValueError
    log = header["format"].removeprefix("tollgate-").removesuffix("/1")
    return Proof(log, header["organization"], header["first"], header["first"] - 1, bytes.fromhex(header["previous"]))


def _read(proof: Proof, rows: Iterator[str], keys: Sequence[Mapping[str, str]]) -> None:
    previous = proof.digest
    member, number = MEMBERS[f"tollgate-{proof.log}/1"]
    for text in rows:
        if text.startswith('{"signature": '):
            _finish(proof, previous, _members(text, {"signature"}), keys)
            if next(rows, None) is not None:
                raise NotProved(proof.last + 1, "it stands behind the signature")
            return
        _follow(proof, text.rstrip("\n"), member, number)
    raise NotProved(proof.last + 1, "the file ends here: what follows, with its signature, was cut off")


def _follow(proof: Proof, text: str, member: str, number: str) -> None:
    expected = proof.last + 1
    start = f'{{"{member}": '
    if text.startswith(start):
        row, end = json.JSONDecoder(parse_float=Decimal).raw_decode(text, len(start))
        sealed, beside = text[len(start) : end], _members("{" + text[end:].removeprefix(", "), BESIDE)
        digest = hashlib.sha256(sealed.encode()).digest()
        proof.erased += _check_personal(row, beside, expected)
        sequence = row.get(number)
    else:
        row = beside = _members(text, LEFT_OUT)
        sequence, digest = row["sequence"], bytes.fromhex(row["line"])
        proof.left_out += 1
    if sequence != expected:
        raise NotProved(expected, f"it is missing, or in another place: here is {sequence}")
    proof.digest = hashlib.sha256(proof.digest + digest).digest()
    if proof.digest.hex() != beside.get("digest"):
        raise NotProved(expected, "it was changed: its text doesn't give its digest")
    if member == "entry":
        _check_balance(proof, row, expected)
    proof.last, proof.digests[expected] = expected, proof.digest


def _members(text: str, known: set[str]) -> dict[str, Any]:
    """An object with these members alone, each once. Whoever reads the file might take another for the row's own."""
    pairs = json.loads(text, object_pairs_hook=list)
    members = dict(pairs) if text.startswith("{") else {}
    if not members or len(members) < len(pairs) or not members.keys() <= known:
        raise ValueError("it has other members than an export")
    return members


def _check_personal(row: Mapping[str, Any], beside: Mapping[str, Any], expected: int) -> bool:
    """Whether the event's personal data was erased."""
    sealed = row.get("personal_digest")
    if "personal" not in beside:
        return sealed is not None
    salt = bytes.fromhex(beside["salt"])
    if len(salt) != SALT_BYTES or hashlib.sha256(salt + beside["personal"].encode()).hexdigest() != sealed:
        raise NotProved(expected, "its personal data was changed")
    return False


def _check_balance(proof: Proof, row: Mapping[str, Any], expected: int) -> None:
    """Each balance must be the previous one plus the amount."""
    balance, amount = Decimal(row["balance_after"]), Decimal(row["amount"])
    before = proof.balance if proof.balance is not None else Decimal(0) if expected == 1 else balance - amount
    if before + amount != balance:
        raise NotProved(expected, f"{before} and {amount} don't give {balance}")
    proof.balance = balance


def _finish(proof: Proof, previous: bytes, row: Mapping[str, Any], keys: Sequence[Mapping[str, str]]) -> None:
    claims = read_seal(row["signature"], keys)
    signed = tuple(claims.get(name) for name in ("log", "organization", "first", "previous", "last", "digest"))
    if signed[:4] != (proof.log, proof.organization, proof.first, previous.hex()):
        raise NotProved(proof.first, "the signature is of another file")
    if signed[4:] != (proof.last, proof.digest.hex()):
        raise NotProved(proof.last + 1, f"the signature is of the rows up to {claims.get('last')}")


def check_head(proof: Proof, seal: str, keys: Sequence[Mapping[str, str]]) -> None:
    """Checks a seal that was stored earlier: the rows that it covers must be unchanged in the log."""
    claims = read_seal(seal, keys)
    if (claims["log"], claims["organization"]) != (proof.log, proof.organization):
        raise NotProved(proof.first, "the seal is of another log")
    last = claims["last"]
    if last > proof.last:
        raise NotProved(proof.last + 1, f"the log went on to {last} when the seal was made: the end was cut off")
    if last in proof.digests and proof.digests[last].hex() != claims["digest"]:
        raise NotProved(last, "it, or one before it, isn't what was sealed then")


def verify_package(archive: zipfile.ZipFile, keys: Sequence[Mapping[str, str]]) -> Claims:
    """Proves a finance package: each of its tables, and that none is missing or added. Returns what was signed."""
    names = archive.namelist()
    if SEAL not in names or len(set(names)) < len(names):
        raise NotProved(0, "this is no finance package of Tollgate's")
    claims = read_seal(_json(archive.read(SEAL).decode(errors="replace"), 0).get("signature", ""), keys)
    if claims.get("log") != "finance":
        raise NotProved(0, "the signature is of something else")
    digests = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names if name != SEAL}
    signed = claims["files"]
    if wrong := sorted(name for name in {*digests, *signed} if digests.get(name) != signed.get(name)):
        raise NotProved(0, f"{wrong[0]} isn't what was signed")
    return claims


def read_seal(seal: str, keys: Sequence[Mapping[str, str]]) -> Claims:
    """The claims of a signed seal. The keys are the server's, from `/.well-known/seal-keys.json`."""
    try:
        head, body, signature = seal.split(".")
        header, claims = json.loads(_bytes(head)), json.loads(_bytes(body))
        [key] = [key for key in keys if key["kid"] == header["kid"]]
        is_signed = _is_signed(head, body, _bytes(signature), key)
    except MALFORMED as error:
        raise NotProved(0, "the signature can't be read, or its key isn't among the published ones") from error
    if (header.get("alg"), header.get("typ")) != ("RS256", TYPE) or not is_signed:
        raise NotProved(0, "the signature is not the server's")
    read: Claims = claims
    return read


def _is_signed(head: str, body: str, signature: bytes, key: Mapping[str, str]) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256: the whole padded message is compared."""
    modulus, exponent = (int.from_bytes(_bytes(key[name])) for name in ("n", "e"))
    size = (modulus.bit_length() + 7) // 8
    message = DIGEST_INFO + hashlib.sha256(f"{head}.{body}".encode()).digest()
    padded = b"\0\1" + b"\xff" * (size - len(message) - 3) + b"\0" + message
    return len(signature) == size and pow(int.from_bytes(signature), exponent, modulus).to_bytes(size) == padded


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _json(text: str, row: int) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise NotProved(row, f"it can't be read: {error}") from error
    return value if isinstance(value, dict) else {}
