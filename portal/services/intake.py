"""An upload in one body: its bytes become one encrypted part, and on the last one a version, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from portal.errors import Invalid
from portal.services.digests import SideDigest
from portal.services.receiving import HEAD, DepositReceipt, Incoming, PartStream, Receiving, Whole


class Intake:
    """One upload while it arrives: `write` its bytes, then `complete`; leaving it otherwise undoes everything.

    `length` and `sha256` are what the sender declared, and are checked; `check_length` raises when too much came.
    """

    def __init__(
        self,
        receiving: Receiving,
        incoming: Incoming,
        check_length: Callable[[int], None],
        length: int | None,
        sha256: bytes | None,
    ) -> None:
        self._receiving = receiving
        self._incoming = incoming
        self._check_length = check_length
        self._length = length
        self._expected = sha256
        self._digest = SideDigest()
        self._digest384 = SideDigest("sha384")
        self._head = bytearray()
        self._size = 0
        self._done = False
        try:
            self._part = PartStream(receiving.blobs, incoming, 1)
        except BaseException as fault:
            # Nobody can leave an upload that was never entered, so it is undone here.
            receiving.abandon(incoming, 0, fault)
            raise

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self._part.abort()
            self._receiving.abandon(self._incoming, self._size, fault)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; raises TooLarge as soon as the limit is passed."""
        self._size += len(data)
        self._check_length(self._size)
        if len(self._head) < HEAD:
            self._head += bytes(data[: HEAD - len(self._head)])
        self._digest.update(data)
        self._digest384.update(data)
        if self._incoming.feed is not None:
            self._incoming.feed.write(data)
        self._part.write(data)
        if not isinstance(data, bytes):
            self._digest.wait()
            self._digest384.wait()

    def complete(self) -> DepositReceipt:
        """Inspect, decide again, record, store; raises Invalid when length or digest are not those declared."""
        self._check_whole()
        whole = Whole(
            (self._part.close(),), self._digest.digest(), self._digest384.digest(), bytes(self._head)
        )
        receipt = self._receiving.finish(self._incoming, whole)
        self._done = True
        return receipt

    def _check_whole(self) -> None:
        if self._size == 0:
            raise Invalid("The file is empty.", mend="Choose the file again; nothing was stored.")
        if self._length is not None and self._size != self._length:
            raise Invalid(
                f"{self._size:,} of {self._length:,} bytes arrived.",
                mend="Send the file again; nothing was stored.",
            )
        if self._expected is not None and self._expected != self._digest.digest():
            raise Invalid(
                "What arrived does not match the digest that was sent with it.",
                mend="Send the file again; nothing was stored.",
            )
