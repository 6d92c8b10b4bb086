"""Typed settings, read from environment variables (`STRONGROOM_…`) and an optional file, checked at start."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

FILE_NAME = "settings.toml"
_PREFIX = "STRONGROOM_"
_SCAN_WORDS = ("required", "advisory", "none")
_CONTENT_WORDS = ("notice", "quarantine", "refuse")
_CONTENT_KINDS = (
    "encrypted",
    "macros",
    "embedded",
    "extension-differs",
    "expands",
    "damaged",
    "partly-examined",
    "polyglot",
)


class SettingsError(Exception):
    """A setting is wrong: its name, where its value came from, and the mend."""


def _mapping(**values: int) -> Mapping[str, int]:
    return MappingProxyType(values)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an installation can set. Sizes are in bytes, periods in the unit of the name."""

    data: Path = field(metadata={"doc": "Folder of the installation: databases and blobs."})
    keys: Path | None = field(
        default=None,
        metadata={"doc": "Folder of the root key; outside `data` in production. Default: DATA/keys."},
    )
    anchor: Path | None = field(
        default=None,
        metadata={
            "doc": "File that keeps the highest signed checkpoint, outside `data` in production. Default: DATA/anchor."
        },
    )
    database_url: str = field(
        default="",
        metadata={"doc": "Business database: an SQLite or PostgreSQL URL. Default: SQLite in DATA."},
    )
    log: Path | None = field(default=None, metadata={"doc": "File of the access log. Default: DATA/log.db."})
    log_url: str = field(
        default="",
        metadata={
            "doc": "PostgreSQL URL of the access log, of its appending role. Default: the file of `log`."
        },
    )
    log_owner_url: str = field(
        default="",
        metadata={"doc": "The same for the tables' owner: used by `init` and `audit prepare`, then removed."},
    )
    log_keeper: str = field(
        default="", metadata={"doc": "Name of the log's keeping role, which alone may delete; empty: none."}
    )
    blobs: Path | None = field(
        default=None, metadata={"doc": "Folder of the encrypted documents. Default: DATA/blobs."}
    )
    blob_store: str = field(
        default="",
        metadata={
            "doc": "Object store of the encrypted documents, `s3://BUCKET/PREFIX`, instead of a folder."
        },
    )
    s3_endpoint: str = field(
        default="", metadata={"doc": "Address of an S3-compatible store; empty: that of AWS for the region."}
    )
    s3_region: str = field(default="us-east-1", metadata={"doc": "Region of the bucket."})
    s3_access_key: str = field(
        default="",
        metadata={"doc": "Access key id; empty: what the environment or the machine's role gives."},
    )
    s3_secret_file: Path | None = field(
        default=None, metadata={"doc": "File, mode 0600, whose first line is the secret access key."}
    )
    public_url: str = field(default="http://localhost:8000", metadata={"doc": "Address that people use."})
    name: str = field(
        default="strongroom.localhost", metadata={"doc": "Name of this installation: the log's origin."}
    )
    node: str = field(default="", metadata={"doc": "Name of this node in the log. Default: the host's name."})
    demonstration: bool = field(
        default=False, metadata={"doc": "Marks every page and relaxes where keys may lie."}
    )
    size_limit: int = field(default=20 * 1024**3, metadata={"doc": "Largest document taken, in bytes."})
    quota_person: int = field(
        default=0,
        metadata={"doc": "Bytes that one person may keep, uploads under way included; 0: no quota."},
    )
    quota_organisation: int = field(
        default=0, metadata={"doc": "Bytes that one organisation may keep, likewise; 0: no quota."}
    )
    upload_hours: int = field(
        default=168,
        metadata={"doc": "How long an upload in pieces waits for its next piece before it is removed."},
    )
    upload_parts: int = field(
        default=1000,
        metadata={"doc": "Most pieces in which one upload may come; small ones are refused in time."},
    )
    ceiling: str = field(
        default="SECRET", metadata={"doc": "Highest classification that this system is accredited to hold."}
    )
    clearance_from: str = field(
        default="CONFIDENTIAL", metadata={"doc": "Lowest classification that a briefing alone does not open."}
    )
    facility_from: str = field(
        default="CONFIDENTIAL",
        metadata={
            "doc": "Lowest classification for which a partner's organisation needs a facility clearance; empty: none."
        },
    )
    assurance: Mapping[str, int] = field(
        default_factory=lambda: _mapping(UNCLASSIFIED=1, RESTRICTED=1, CONFIDENTIAL=2, SECRET=2),
        metadata={
            "doc": "Least assurance of the sign-in by classification: 1 password, 2 second factor, 3 phishing-proof; "
            "one that is not named needs 3."
        },
    )
    key_provider: str = field(
        default="file",
        metadata={
            "doc": "What holds the root key: `file`, `pkcs11` (a token or HSM) or `transit` (Vault, OpenBao)."
        },
    )
    signing_keys: str = field(
        default="ring",
        metadata={
            "doc": "Where new signing keys are: `ring`, wrapped by the root key, or `provider`, which then signs "
            "itself (not with a key file)."
        },
    )
    key_cache_seconds: int = field(
        default=300,
        metadata={"doc": "How long opened keys are kept in memory while the provider is not asked again."},
    )
    key_rotation_days: int = field(
        default=365,
        metadata={"doc": "Keys that wrap documents' keys are rotated when they are older than this."},
    )
    key_backup_days: int = field(
        default=90,
        metadata={
            "doc": "No backup of the keys or the database is kept longer: certificates of destruction rest on it."
        },
    )
    pkcs11_module: Path | None = field(default=None, metadata={"doc": "The token vendor's PKCS#11 library."})
    pkcs11_token: str = field(default="strongroom", metadata={"doc": "Label of the token."})
    pkcs11_pin_file: Path | None = field(
        default=None,
        metadata={"doc": "File with the token's PIN, mode 0600. Default: `pin` beside the keys."},
    )
    pkcs11_label: str = field(
        default="strongroom-root", metadata={"doc": "Label of the root key in the token."}
    )
    transit_url: str = field(default="", metadata={"doc": "Address of the Vault or OpenBao server."})
    transit_mount: str = field(default="transit", metadata={"doc": "Where its Transit engine is mounted."})
    transit_key: str = field(default="strongroom", metadata={"doc": "Name of the root key in it."})
    transit_role_file: Path | None = field(
        default=None,
        metadata={"doc": "File with the AppRole's role id, mode 0600. Default: `role-id` beside the keys."},
    )
    transit_secret_file: Path | None = field(
        default=None,
        metadata={
            "doc": "File with the AppRole's secret id, mode 0600. Default: `secret-id` beside the keys."
        },
    )
    transit_authority: Path | None = field(
        default=None,
        metadata={"doc": "File of the authority that certified the server. Default: the system's."},
    )
    scanner: str = field(
        default="",
        metadata={
            "doc": "Malware scanner: clamd:/PATH/OF/SOCKET, clamd://HOST:PORT or icap://HOST:PORT/SERVICE. Empty: none."
        },
    )
    scanner_limit: int = field(
        default=100 * 1024**2,
        metadata={"doc": "Most bytes of one file that the scanner is set to look at (clamd: MaxFileSize)."},
    )
    scanner_spool: Path | None = field(
        default=None,
        metadata={
            "doc": "Folder to which the scanner writes what it looks at; it must lie in memory (tmpfs)."
        },
    )
    scanner_seconds: int = field(
        default=900, metadata={"doc": "How long the scanner may take for one verdict."}
    )
    scanner_wait_seconds: int = field(
        default=5, metadata={"doc": "How long an upload's answer waits for the verdict after the last byte."}
    )
    scanner_streams: int = field(
        default=4, metadata={"doc": "Documents that one node has scanned at the same time."}
    )
    scan: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "doc": "By classification whether a document is scanned: required (before anybody sees it), advisory or "
            "none. One that is not named: required where there is a scanner."
        },
    )
    content: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "doc": "What is done about what a file turns out to be: notice, quarantine or refuse, by kind (encrypted, "
            "macros, embedded, extension-differs, expands, damaged, partly-examined, polyglot)."
        },
    )
    token_ceiling: int = field(default=2, metadata={"doc": "Highest assurance that an API token can have."})
    session_idle_minutes: int = field(
        default=30, metadata={"doc": "A session ends after this long without a request."}
    )
    session_hours: int = field(default=10, metadata={"doc": "A session ends after this long in any case."})
    link_hours: int = field(default=72, metadata={"doc": "How long a one-time link can be used."})
    token_requests_per_minute: int = field(
        default=1200, metadata={"doc": "Requests a minute for one API token."}
    )
    sign_ins_per_minute: int = field(
        default=20, metadata={"doc": "Sign-in attempts a minute from one address, and for one account."}
    )
    requests_per_minute: int = field(
        default=1200, metadata={"doc": "Requests a minute from one address that is not signed in."}
    )
    argon2_memory: int = field(default=64 * 1024, metadata={"doc": "Memory of one password check, in KiB."})
    argon2_rounds: int = field(default=3, metadata={"doc": "Rounds of one password check."})
    argon2_at_once: int = field(default=2, metadata={"doc": "Password checks that run at the same time."})
    transfers: int = field(
        default=64, metadata={"doc": "Uploads and downloads that one node has under way at once."}
    )
    transfers_each: int = field(default=32, metadata={"doc": "Of these, how many one person may have."})
    threads: int = field(default=96, metadata={"doc": "Requests that one node answers at the same time."})

    def scanned(self, classification: str) -> str:
        """Return whether documents of a classification are scanned: required, advisory or none."""
        return self.scan.get(classification, "required" if self.scanner else "none")

    @property
    def key_folder(self) -> Path:
        """Folder of the root key."""
        return self.keys or self.data / "keys"

    @property
    def anchor_file(self) -> Path:
        """File of the log's anchor."""
        return self.anchor or self.data / "anchor" / "checkpoint"

    @property
    def blob_folder(self) -> Path:
        """Folder of the encrypted documents."""
        return self.blobs or self.data / "blobs"

    @property
    def portal_database(self) -> str:
        """URL of the business database."""
        return self.database_url or f"sqlite:///{self.data / 'portal.db'}"

    @property
    def log_file(self) -> Path:
        """File of the access log."""
        return self.log or self.data / "log.db"

    @property
    def log_place(self) -> Path | str:
        """Where the access log is: its file, or the URL of its database."""
        return self.log_url or self.log_file

    @property
    def secure(self) -> bool:
        """Whether people reach the portal by https."""
        return self.public_url.startswith("https://")


def _boolean(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("write true or false")


def _levels(text: str) -> Mapping[str, int]:
    pairs = (item.split("=", 1) for item in text.split(",") if item.strip())
    return MappingProxyType({name.strip(): int(value) for name, value in pairs})


def _words(text: str) -> Mapping[str, str]:
    pairs = (item.split("=", 1) for item in text.split(",") if item.strip())
    return MappingProxyType({name.strip(): word.strip() for name, word in pairs})


_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "Path": Path,
        "Path | None": Path,
        "str": str,
        "int": int,
        "bool": _boolean,
        "Mapping[str, int]": _levels,
        "Mapping[str, str]": _words,
    }
)


def load_settings(environment: Mapping[str, str], data: Path | None = None) -> Settings:
    """Read settings: the environment first, then `settings.toml` in the data folder (or STRONGROOM_SETTINGS).

    `data` (the command line's `--data`) comes before STRONGROOM_DATA. Raises SettingsError, which names the setting,
    the origin of its value and the mend.
    """
    folder = data or (Path(environment["STRONGROOM_DATA"]) if environment.get("STRONGROOM_DATA") else None)
    if folder is None:
        raise SettingsError(
            "STRONGROOM_DATA is not set. Name the installation's folder there, or with --data."
        )
    path = Path(environment.get("STRONGROOM_SETTINGS") or folder / FILE_NAME)
    found = _read_file(path)
    values: dict[str, Any] = {"data": folder.absolute()}
    known = {item.name: item for item in fields(Settings) if item.name != "data"}
    for name in found:
        if name not in known:
            raise SettingsError(f"{path}: there is no setting {name!r}. Remove it, or correct its name.")
    for name, item in known.items():
        variable = _PREFIX + name.upper()
        if variable in environment:
            values[name] = _read(item.type, environment[variable], variable)
        elif name in found:
            values[name] = _convert(item.type, found[name], f"{name} in {path}")
    settings = Settings(**values)
    _check(settings)
    return settings


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingsError(f"{path}: {fault}. Correct the file.") from None


def _read(kind: Any, text: str, origin: str) -> Any:
    try:
        return _READERS[str(kind)](text)
    except ValueError as fault:
        raise SettingsError(f"{origin}: {text!r} cannot be read ({fault}). Correct it.") from None


def _convert(kind: Any, value: Any, origin: str) -> Any:
    if isinstance(value, str):
        return _read(kind, value, origin)
    if isinstance(value, dict) and str(kind) == "Mapping[str, str]":
        return MappingProxyType({str(name): str(word) for name, word in value.items()})
    if isinstance(value, dict) and str(kind).startswith("Mapping"):
        return MappingProxyType({str(name): int(level) for name, level in value.items()})
    if isinstance(value, bool) == (str(kind) == "bool") and str(kind) in ("int", "bool"):
        return value
    raise SettingsError(f"{origin}: {value!r} is not of the right kind ({kind}). Correct it.")


def _check(settings: Settings) -> None:
    if urlsplit(settings.public_url).scheme not in ("http", "https"):
        raise SettingsError(f"public_url: {settings.public_url!r} is no http or https address. Correct it.")
    _check_keys(settings)
    address = urlsplit(settings.blob_store)
    if settings.blob_store and (address.scheme != "s3" or not address.netloc or "@" in address.netloc):
        raise SettingsError(
            "blob_store: it is no s3://BUCKET/PREFIX. Correct it; keys have settings of their own."
        )
    if bool(settings.s3_access_key) != bool(settings.s3_secret_file):
        raise SettingsError("s3_access_key and s3_secret_file go together. Set both, or neither.")
    for name in ("log_url", "log_owner_url"):
        if (url := getattr(settings, name)) and urlsplit(url).scheme not in (
            "postgresql",
            "postgresql+psycopg",
        ):
            raise SettingsError(f"{name}: it is no postgresql:// address. Correct it.")
    for name in (
        "size_limit",
        "key_cache_seconds",
        "key_rotation_days",
        "key_backup_days",
        "session_idle_minutes",
        "session_hours",
        "link_hours",
        "token_requests_per_minute",
        "sign_ins_per_minute",
        "requests_per_minute",
        "argon2_memory",
        "argon2_rounds",
        "argon2_at_once",
        "threads",
        "transfers",
        "transfers_each",
        "scanner_limit",
        "scanner_seconds",
        "scanner_streams",
    ):
        if getattr(settings, name) < 1:
            raise SettingsError(f"{name}: {getattr(settings, name)} is too small. Set it to 1 or more.")
    for level, least in {**settings.assurance, "token_ceiling": settings.token_ceiling}.items():
        if least not in (1, 2, 3):
            raise SettingsError(f"assurance of {level}: {least} is not 1, 2 or 3. Correct it.")
    _check_scanning(settings)


def _check_keys(settings: Settings) -> None:
    _among("key_provider", settings.key_provider, ("file", "pkcs11", "transit"))
    _among("signing_keys", settings.signing_keys, ("ring", "provider"))
    if settings.key_provider == "file" and settings.signing_keys == "provider":
        raise SettingsError("signing_keys: a key file cannot sign. Set it to ring.")
    if settings.key_provider == "pkcs11" and settings.pkcs11_module is None:
        raise SettingsError("pkcs11_module: it is not set. Name the token vendor's library.")
    if settings.key_provider == "transit" and urlsplit(settings.transit_url).scheme not in ("http", "https"):
        raise SettingsError(f"transit_url: {settings.transit_url!r} is no http or https address. Correct it.")


def _among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingsError(f"{name}: {value!r} is not one of {', '.join(known)}. Correct it.")


def _check_scanning(settings: Settings) -> None:
    for level, word in settings.scan.items():
        if word not in _SCAN_WORDS:
            raise SettingsError(
                f"scan of {level}: {word!r} is not one of {', '.join(_SCAN_WORDS)}. Correct it."
            )
        if word != "none" and not settings.scanner:
            raise SettingsError(
                f"scan of {level}: {word!r}, but no scanner is set. Set `scanner`, or write none."
            )
    for kind, word in settings.content.items():
        if kind not in _CONTENT_KINDS or word not in _CONTENT_WORDS:
            raise SettingsError(
                f"content: {kind!r}={word!r} is not known. Kinds are {', '.join(_CONTENT_KINDS)}; write one of "
                f"{', '.join(_CONTENT_WORDS)}."
            )
    if (
        settings.scanner.startswith("clamd:/")
        and settings.scanner_spool is None
        and "//" not in settings.scanner
    ):
        raise SettingsError(
            "scanner_spool is not set. Name the folder that clamd.conf calls TemporaryDirectory: it holds documents in "
            "the clear while they are scanned, and must lie in memory (tmpfs)."
        )
