"""`strongroom label`: reading, writing and checking labels, without an installation unless one is named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from policies import SHIPPED, InvalidLabel, Label, SecurityPolicy, load_policy, stanag4774, stanag4778
from policies.marking import DEFAULT_POSITION
from policies.nations import load_nations
from policies.structure import LOCATIONS
from portal.cli.errors import Fails
from portal.cli.options import json_option

_LARGEST = stanag4778.MAX_BYTES

policy_option = click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Security policy (SPIF file); the one that Strongroom ships by default.",
)


@click.group()
def label() -> None:
    """Read, write and check labels and their bindings (STANAG 4774 and 4778)."""


@label.command()
@click.argument("source")
@policy_option
@json_option
def parse(source: str, policy_file: Path | None, as_json: bool) -> None:
    """Read SOURCE, a STANAG 4774 file (- for standard input) or a marking, and say what it means.

    A nation's label is shown with its equivalent under the policy; one that has none is refused.
    """
    policy = _policy(policy_file)
    found, own = _read(source, policy)
    facts = {
        "policy": {"name": own.name, "id": own.id},
        **_contents(found),
        "marking": own.marking(found),
        "digest": found.digest,
        "equivalents": [
            {"policy": policy.name, **_contents(other), "marking": policy.marking(other)}
            for other in found.alternatives
        ],
    }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    click.echo(f"{facts['marking']}\n\nPolicy          {own.name} ({own.id})")
    _print(found)
    click.echo(f"SHA-256         {found.digest}")
    for other in found.alternatives:
        click.echo(f"\nEquivalent      {policy.marking(other)}")
        _print(other)


@label.command()
@click.argument("source")
@policy_option
@click.option("--language", default="en", show_default=True, help="Language of the marking, such as fr.")
@click.option(
    "--position",
    default=DEFAULT_POSITION,
    show_default=True,
    type=click.Choice(sorted(LOCATIONS)),
    help="Where on the page or in a message the marking stands.",
)
@click.option("--xml", "as_xml", is_flag=True, help="Write a complete STANAG 4774 label instead.")
@json_option
def render(
    source: str, policy_file: Path | None, language: str, position: str, as_xml: bool, as_json: bool
) -> None:
    """Write the marking of SOURCE, a STANAG 4774 file (- for standard input) or a marking."""
    found, own = _read(source, _policy(policy_file))
    if as_xml:
        text = stanag4774.serialise(
            found, created=datetime.now(UTC).replace(microsecond=0), policy=own
        ).decode()
        if as_json:
            facts = {"xml": text, "marking": own.marking(found), "policy": own.name}
            click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        else:
            click.echo(text, nl=False)
        return
    words = own.marking(found, language, position)
    facts = {"marking": words, "language": language, "position": position, "policy": own.name}
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2) if as_json else words)


@label.command()
@click.argument("binding", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@policy_option
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) of the portal that made it: /api/v1/binding-certificate.",
)
@json_option
def verify(
    binding: Path, file: Path | None, policy_file: Path | None, certificate: Path | None, as_json: bool
) -> None:
    """Check BINDING, a signed label (STANAG 4778), and whether FILE is the document that it was made for.

    Without --certificate it is checked against the certificate that it carries: then nobody vouches for who made it.
    """
    data = _bytes(binding)
    try:
        bound = stanag4778.read(data, _policy(policy_file), load_nations())
    except InvalidLabel as fault:
        raise Fails(f"This binding does not hold: {fault}", mend="Get it anew.") from None
    signed = _signature(data, certificate) if bound.signed else None
    if signed is None:
        raise Fails("This binding carries no signature, so it proves nothing.", mend="Get a signed one.")
    if file is not None:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, signed.algorithm).digest()
        if digest != signed.digest:
            raise Fails(
                f"{file} is not the document that this label was bound to: its {signed.algorithm} is "
                f"{digest.hex()}, the bound one {signed.digest.hex()}.",
                mend="Get document and label anew, both of the same version.",
            )
    own = _policy_of(bound.label, _policy(policy_file))
    facts = {
        "marking": own.marking(bound.label),
        "policy": own.name,
        "data": bound.data.uri,
        "algorithm": signed.algorithm,
        "digest": signed.digest.hex(),
        "file": "the same" if file is not None else "not compared",
        "signer": signed.certificate.subject.rfc4514_string(),
        "certificate_sha256": signed.fingerprint,
        "trusted": signed.trusted,
    }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    click.echo(f"{facts['marking']}\n")
    click.echo(f"Data            {bound.data.uri}\n{signed.algorithm:<15} {signed.digest.hex()}")
    click.echo(
        f"File            {'is that document' if file is not None else 'not compared: none was named'}"
    )
    vouched = (
        "among those given"
        if signed.trusted
        else "carried by the binding itself; name one with --certificate"
    )
    click.echo(
        f"Signed by       {facts['signer']}\nCertificate     {vouched}\n                {signed.fingerprint}"
    )


def _policy(file: Path | None) -> SecurityPolicy:
    return load_policy(SHIPPED if file is None else file)


def _policy_of(found: Label, policy: SecurityPolicy) -> SecurityPolicy:
    known = {item.id: item for item in (*load_nations().values(), policy)}
    return known[found.policy_id]


def _read(source: str, policy: SecurityPolicy) -> tuple[Label, SecurityPolicy]:
    try:
        if source == "-" or Path(source).is_file():
            nations = [item for item in load_nations().values() if item.id != policy.id]
            found, own = stanag4774.parse_any(_bytes(source), (policy, *nations))
            return (found, own) if own is policy else (found.beside(own.translate(found, policy)), own)
        return policy.parse_marking(source), policy
    except InvalidLabel as fault:
        raise Fails(f"This label does not hold: {fault}", mend="Correct it.") from None


def _bytes(source: Path | str) -> bytes:
    with click.open_file(str(source), "rb") as stream:
        data: bytes = stream.read(_LARGEST + 1)
    return data


def _signature(data: bytes, certificate: Path | None) -> Any:
    # Only this command needs XML signatures, and they take a while to import.
    from cryptography import x509

    from portal.services.binding_signature import verify as check

    if certificate is None:
        return check(data, None)
    try:
        known = x509.load_pem_x509_certificates(certificate.read_bytes())
    except ValueError:
        raise Fails(
            f"{certificate} is no certificate in PEM.", mend="Name the portal's certificate."
        ) from None
    return check(data, known)


def _contents(found: Label) -> dict[str, Any]:
    return {
        "classification": found.classification,
        "categories": {tag_set: list(values) for tag_set, values in found.categories},
    }


def _print(found: Label) -> None:
    click.echo(f"Classification  {found.classification}")
    for tag_set, values in found.categories:
        click.echo(f"{tag_set:<16}{', '.join(values)}")
