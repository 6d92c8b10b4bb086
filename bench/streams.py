"""Encrypted streams against bare AES-256-GCM on 1 MiB buffers and against the `tink` package, in one run, one core.

Everything lies in memory and the output is discarded. All read the same bytes: one buffer used again and again would
stay in the processor's cache, and measure that. `python -m bench.streams [MIB]`.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.figures import Figure, machine, show
from crypto.parts import PartsReader, PartWriter
from crypto.segments import TAG
from crypto.streams import DecryptingReader, EncryptingWriter

MIB = 1 << 20
ROUNDS = 5
KEY = bytes(range(32))
CONTEXT = b"bench"
BARE = "bare AESGCM, 1 MiB buffers: "
ENCRYPT, DECRYPT = "stream: encrypt", "stream: decrypt"
BARE_SHARE, TINK_TIMES, MEMORY_MIB = 0.8, 1.5, 16.0


class Null:
    """Takes everything and keeps nothing."""

    def write(self, piece: memoryview, /) -> int:
        return len(piece)


class NullFile(io.RawIOBase):
    """The same as a file, which Tink asks for."""

    def writable(self) -> bool:
        return True

    def write(self, piece: object, /) -> int:
        return len(memoryview(piece))  # type: ignore[arg-type]


Works = dict[str, Callable[[], object]]


def rates(works: Works, size: int) -> dict[str, float]:
    """Return each work's best rate in GB/s. The works take turns, so that other load on the machine falls on all."""
    fastest = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            fastest[name] = min(fastest[name], time.perf_counter() - start)
    return {name: size / seconds / 1e9 for name, seconds in fastest.items()}


def pieces(plain: bytes, step: int = MIB) -> list[memoryview]:
    view = memoryview(plain)
    return [view[start : start + step] for start in range(0, len(view), step)]


def bare(plain: bytes) -> Works:
    aead, nonce = AESGCM(KEY), bytes(12)
    target, sealed = bytearray(MIB + TAG), bytearray(len(plain) // MIB * (MIB + TAG))
    places = [memoryview(sealed)[start : start + MIB + TAG] for start in range(0, len(sealed), MIB + TAG)]
    for piece, place in zip(pieces(plain), places, strict=True):
        aead.encrypt_into(nonce, piece, None, place)

    def encrypt() -> None:
        for piece in pieces(plain):
            aead.encrypt_into(nonce, piece, None, target)

    def decrypt() -> None:
        opened = memoryview(target)[:MIB]
        for place in places:
            aead.decrypt_into(nonce, place, None, opened)

    return {BARE + "encrypt": encrypt, BARE + "decrypt": decrypt}


def ours(plain: bytes, stream: bytes) -> Works:
    def encrypt(step: int) -> None:
        with EncryptingWriter(Null(), KEY, CONTEXT) as writer:
            for piece in pieces(plain, step):
                writer.write(piece)

    def segments() -> None:
        for _ in DecryptingReader(stream, KEY, CONTEXT).segments():
            pass

    def from_file() -> None:
        for _ in DecryptingReader(io.BytesIO(stream), KEY, CONTEXT).segments():
            pass

    def readinto() -> None:
        reader, target = DecryptingReader(io.BytesIO(stream), KEY, CONTEXT), bytearray(MIB)
        while reader.readinto(target):
            pass

    return {
        ENCRYPT: lambda: encrypt(MIB),
        "stream: encrypt, writes of 64 KiB": lambda: encrypt(1 << 16),
        DECRYPT: segments,
        "stream: decrypt, read from a file": from_file,
        "stream: decrypt, file, readinto 1 MiB": readinto,
    }


def in_parts(plain: bytes) -> Works:
    """Return what the portal does: write a part with the digest of its ciphertext, and read it."""
    sink = io.BytesIO()
    writer = PartWriter(sink, KEY, "document", 1, 1)
    writer.write(plain)
    part = writer.close()
    stream = sink.getvalue()

    def encrypt() -> None:
        writer = PartWriter(Null(), KEY, "document", 1, 1)
        for piece in pieces(plain):
            writer.write(piece)
        writer.close()

    def decrypt() -> None:
        for _ in PartsReader(lambda _: io.BytesIO(stream), [part], KEY, "document", 1).segments():
            pass

    return {"part with its SHA-256: encrypt": encrypt, "part: decrypt": decrypt}


def tink(plain: bytes, stream: bytes) -> Works:
    try:
        from tink import json_proto_keyset_format, secret_key_access, streaming_aead
    except ImportError:
        print("tink is not installed: nothing to compare with")
        return {}
    streaming_aead.register()
    message = bytes.fromhex("120808808040102018031a20") + KEY
    data = {
        "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        "value": base64.b64encode(message).decode(),
        "keyMaterialType": "SYMMETRIC",
    }
    key = {"keyData": data, "status": "ENABLED", "keyId": 1, "outputPrefixType": "RAW"}
    keyset = json.dumps({"primaryKeyId": 1, "key": [key]})
    handle = json_proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
    primitive = handle.primitive(streaming_aead.StreamingAead)

    def encrypt() -> None:
        with primitive.new_encrypting_stream(NullFile(), CONTEXT) as writer:
            for piece in pieces(plain):
                writer.write(piece)

    def decrypt() -> None:
        with primitive.new_decrypting_stream(io.BytesIO(stream), CONTEXT) as reader:
            while reader.read(MIB):
                pass

    return {"tink: encrypt": encrypt, "tink: decrypt": decrypt}


def peak() -> int:
    """Return this process's peak memory in bytes; `getrusage` would tell that of the process which started it."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def memory(mib: int) -> None:
    """Print how much encrypting and decrypting a stream through a file takes above the interpreter."""
    piece = os.urandom(1 << 16)
    before = peak()
    with os.fdopen(os.memfd_create("stream"), "w+b", buffering=0) as file:
        with EncryptingWriter(file, KEY, CONTEXT) as writer:
            for _ in range(mib * 16):
                writer.write(piece)
        for _ in DecryptingReader(file, KEY, CONTEXT).segments():
            pass
    print((peak() - before) / MIB)


def main() -> None:
    if sys.argv[1:2] == ["memory"]:
        memory(int(sys.argv[2]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    plain = os.urandom(count * MIB)
    sink = io.BytesIO()
    with EncryptingWriter(sink, KEY, CONTEXT) as writer:
        writer.write(plain)
    stream = sink.getvalue()
    works = bare(plain) | tink(plain, stream) | ours(plain, stream) | in_parts(plain)
    print(f"{count} MiB in memory, one core, best of {ROUNDS} rounds in turns; {machine()}", flush=True)
    measured = rates(works, count * MIB)
    for name, rate in measured.items():
        print(f"  {name}: {rate:.2f} GB/s, {rate / measured[_bare_of(name)]:.0%} of bare AESGCM", flush=True)
    figures = [
        *(
            Figure(
                f"{name} / bare AESGCM", measured[name] / measured[_bare_of(name)], "", BARE_SHARE, least=True
            )
            for name in (ENCRYPT, DECRYPT)
        ),
        *(
            Figure(f"{name} / tink", measured[name] / measured[other], "", TINK_TIMES, least=True)
            for name, other in ((ENCRYPT, "tink: encrypt"), (DECRYPT, "tink: decrypt"))
            if other in measured
        ),
    ]
    for mib in (1, 64, 512):
        used = subprocess.run(
            [sys.executable, "-m", "bench.streams", "memory", str(mib)],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        figures.append(
            Figure(f"memory above the interpreter, {mib} MiB both ways", float(used), "MiB", MEMORY_MIB)
        )
    show(figures)


def _bare_of(name: str) -> str:
    return BARE + ("encrypt" if "encrypt" in name else "decrypt")


if __name__ == "__main__":
    main()
