"""Encrypting a version's content anew under a new key, when its old one is believed to be known to somebody.

Plaintext goes from the old stream to the new one and nowhere else; neither key leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from crypto import envelope
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek
from crypto.parts import Part, PartsReader, PartWriter, parts_digest
from crypto.sources import Source
from crypto.streams import Sink
from crypto.unwrapping import unwrap_dek


class Closing(Sink, Protocol):
    """A sink that keeps what was written once it is closed."""

    def close(self) -> None:
        """Keep it."""


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The new parts and the new key, wrapped, with the KEK that wrapped it."""

    parts: tuple[Part, ...]
    wrapped_dek: bytes
    kek_id: str
    kek_version: int


def reencrypt(
    ring: KeyRing,
    wrapped: bytes,
    context: DekContext,
    parts: Sequence[Part],
    open_part: Callable[[int], Source],
    create_part: Callable[[int], Closing],
) -> Reencrypted:
    """Encrypt `parts` anew into as many new ones under a new key of the same security domain.

    Raises Damaged when anything of the old content does not verify; what was created then is the caller's to remove.
    """
    programme, _, classification = ring.by_id(envelope.key_id_of(wrapped, envelope.WRAPPED)).domain.partition(
        "/"
    )
    domain = Domain(classification, programme)
    old, new = unwrap_dek(ring, wrapped, domain, context), Dek.generate()
    place = context.document_id, context.version
    fresh = []
    start = 0
    with PartsReader(open_part, parts, old.material, *place) as reader:
        for number, part in enumerate(parts, 1):
            sink = create_part(number)
            writer = PartWriter(cast(Sink, sink), new.material, *place, number)
            for segment in reader.segments(start, start + part.plaintext_length):
                writer.write(segment)
            fresh.append(writer.close())
            sink.close()
            start += part.plaintext_length
    bound = replace(context, parts_digest=parts_digest(fresh))
    again = ring.wrap_dek(new, domain, bound)
    kek = ring.by_id(envelope.key_id_of(again, envelope.WRAPPED))
    return Reencrypted(tuple(fresh), again, kek.id, kek.version)
