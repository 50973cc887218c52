"""The only reader of the environment; refuses to start on a bad value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import unquote, urlsplit


class BadSettingError(Exception):
    """A setting has a value reread cannot run with; the message says which and how to mend it."""


# Name in the environment -> what it is for; docs/settings.md shows the same table.
KNOWN = {
    "DATABASE_URL": "the Postgres server; without it an embedded one runs under REREAD_DATA",
    "REREAD_CONNECTIONS": "how many connections a process opens for a database role (default 10)",
    "REREAD_PGBOUNCER": "yes where DATABASE_URL leads to a PgBouncer in transaction mode",
    "REREAD_REPLICA_URL": "a read replica of that server, for the monitor's pages",
    "REREAD_SECRET": "at least 32 characters; the database roles' passwords derive from it",
    "REREAD_DATA": "the folder for the embedded database and the files (default .reread)",
    "REREAD_STORAGE": "where images and overlays lie (default REREAD_DATA/files); or s3://...",
    "REREAD_PUBLIC_URL": "the address people type, e.g. https://reread.example.org",
    "REREAD_PROXY": "address of the one reverse proxy whose forwarded headers are believed",
    "REREAD_SECOND_FACTOR": "optional (default), all-but-readers or everybody: who must have one",
    "REREAD_OIDC_ISSUER": "a hospital's identity provider (OpenID Connect) for signing in",
    "REREAD_OIDC_CLIENT_ID": "how this installation is called there",
    "REREAD_OIDC_CLIENT_SECRET": "the secret it was given there",
    "REREAD_OIDC_BUTTON": "what the button says (default: Sign in with your hospital account)",
    "REREAD_SMTP": "the mail server, e.g. smtp://user:password@mail.example.org:587; none: no mail",
    "REREAD_MAIL_FROM": "the address mails are sent from; needed with REREAD_SMTP",
    "REREAD_LOG": "text (default) or json: the form of the log's lines",
    "REREAD_METRICS_TOKEN": "at least 32 characters: opens /metrics and the details of /ready",
    "REREAD_SIGNING_KEY": "the file of the key that signs heads of the log; none: not signed",
    "REREAD_MODEL": "the folder of the model the worker loads (default: the demonstration model)",
    "REREAD_PRECISION": "float32 (default) or bfloat16: in what the worker's model computes",
    "REREAD_TEST_IMAGES": "tests only: a folder of real photographs with its cases.csv",
}
SHORTEST_SECRET = 32
Precision = Literal["float32", "bfloat16"]
LogForm = Literal["text", "json"]
SecondFactor = Literal["optional", "all-but-readers", "everybody"]
# The first is the default.
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
LOG_FORMS: tuple[LogForm, ...] = ("text", "json")
SECOND_FACTORS: tuple[SecondFactor, ...] = ("optional", "all-but-readers", "everybody")


# Scheme -> how the connection is made secure, and the usual port.
_MAIL: dict[str, tuple[Literal["starttls", "tls", "none"], int]] = {
    "smtp": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp+plain": ("none", 25),
}


@dataclass(frozen=True)
class MailSettings:
    """The mail server and the address in whose name it sends."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str
    password: str = field(repr=False)
    sender: str


@dataclass(frozen=True)
class ProviderSettings:
    """A hospital's identity provider, and how this installation is known to it."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    button: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything the environment decides, checked once at the start."""

    database_url: str | None
    secret: str | None
    data_folder: Path
    storage_url: str
    public_url: str | None
    model_folder: Path | None
    precision: Precision
    proxy: str | None
    connections: int = 10
    pgbouncer: bool = False
    replica_url: str | None = None
    mail: MailSettings | None = None
    provider: ProviderSettings | None = None
    second_factor: SecondFactor = "optional"
    signing_key: Path | None = None
    log_form: LogForm = "text"
    metrics_token: str | None = field(default=None, repr=False)

    @property
    def secure_cookies(self) -> bool:
        """Cookies are marked Secure and host-bound wherever the public address is https."""
        return (self.public_url or "").startswith("https://")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read and check; raises BadSettingError with a sentence."""
        for name in environment:
            if name.startswith("REREAD_") and name not in KNOWN:
                raise BadSettingError(
                    f"{name} is not a setting of reread. Known are: {', '.join(sorted(KNOWN))}."
                )
        url = environment.get("DATABASE_URL") or None
        if url and urlsplit(url).scheme not in {"postgresql", "postgres"}:
            raise BadSettingError("DATABASE_URL must begin with postgresql://")
        secret = _secret(environment, "REREAD_SECRET")
        if url and secret is None:
            raise BadSettingError("With DATABASE_URL set, REREAD_SECRET must be set too.")
        data = Path(environment.get("REREAD_DATA") or ".reread").resolve()
        proxy = environment.get("REREAD_PROXY") or None
        if proxy is not None and ("*" in proxy or "," in proxy):
            raise BadSettingError("REREAD_PROXY names one address; believing everybody is refused.")
        model = environment.get("REREAD_MODEL") or None
        if model and not Path(model).is_dir():
            raise BadSettingError(f"REREAD_MODEL names {model}, which is not a folder.")
        key = environment.get("REREAD_SIGNING_KEY") or None
        if key and not Path(key).is_file():
            raise BadSettingError(
                f"REREAD_SIGNING_KEY names {key}, which is no file. One is made by: "
                "reread signing-key FILE"
            )
        return cls(
            database_url=url,
            secret=secret,
            data_folder=data,
            storage_url=environment.get("REREAD_STORAGE") or str(data / "files"),
            public_url=_public_url(environment.get("REREAD_PUBLIC_URL")),
            model_folder=Path(model) if model else None,
            precision=cast("Precision", _one_of(environment, "REREAD_PRECISION", PRECISIONS)),
            proxy=proxy,
            signing_key=Path(key) if key else None,
            connections=_connections(environment.get("REREAD_CONNECTIONS")),
            pgbouncer=_is_yes("REREAD_PGBOUNCER", environment.get("REREAD_PGBOUNCER")),
            replica_url=_replica(environment.get("REREAD_REPLICA_URL"), url),
            log_form=cast("LogForm", _one_of(environment, "REREAD_LOG", LOG_FORMS)),
            metrics_token=_secret(environment, "REREAD_METRICS_TOKEN"),
            second_factor=cast(
                "SecondFactor", _one_of(environment, "REREAD_SECOND_FACTOR", SECOND_FACTORS)
            ),
            provider=_provider(environment),
            mail=_mail(environment.get("REREAD_SMTP"), environment.get("REREAD_MAIL_FROM")),
        )


def _connections(value: str | None) -> int:
    if value and not (value.isascii() and value.isdigit() and 1 <= int(value) <= 1000):  # noqa: PLR2004
        raise BadSettingError(f"REREAD_CONNECTIONS is {value!r}; it must be from 1 to 1000.")
    return int(value or 10)


def _is_yes(name: str, value: str | None) -> bool:
    if value not in {None, "", "yes", "no"}:
        raise BadSettingError(f"{name} is {value!r}; yes or no.")
    return value == "yes"


def _replica(value: str | None, url: str | None) -> str | None:
    if value and urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise BadSettingError("REREAD_REPLICA_URL must begin with postgresql://")
    if value and not url:
        raise BadSettingError("REREAD_REPLICA_URL is a replica of DATABASE_URL, which is not set.")
    return value or None


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    value = environment.get(name) or None
    if value is not None and len(value) < SHORTEST_SECRET:
        raise BadSettingError(
            f"{name} has {len(value)} characters; it needs {SHORTEST_SECRET} or more. "
            'One is made by: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return value


def _one_of(environment: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    value = environment.get(name) or known[0]
    if value not in known:
        raise BadSettingError(f"{name} is {value!r}; {' or '.join(known)}.")
    return value


def _public_url(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise BadSettingError(
            f"REREAD_PUBLIC_URL is {value!r}; it must look like https://reread.example.org"
        )
    return value.rstrip("/")


def is_private(url: str) -> bool:
    """Say whether what is sent to an address stays between us: by TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    on_this_machine = parts.scheme == "http" and host in {"127.0.0.1", "localhost", "::1"}
    return bool(host) and (parts.scheme == "https" or on_this_machine)


def _provider(environment: Mapping[str, str]) -> ProviderSettings | None:
    names = ("REREAD_OIDC_ISSUER", "REREAD_OIDC_CLIENT_ID", "REREAD_OIDC_CLIENT_SECRET")
    values = [environment.get(name) or "" for name in names]
    button = environment.get("REREAD_OIDC_BUTTON") or ""
    if not any(values) and not button:
        return None
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise BadSettingError(f"Signing in at a provider also needs {' and '.join(missing)}.")
    if not environment.get("REREAD_PUBLIC_URL"):
        raise BadSettingError("With REREAD_OIDC_ISSUER set, REREAD_PUBLIC_URL must be set too.")
    issuer, client_id, client_secret = values
    if not is_private(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise BadSettingError(
            f"REREAD_OIDC_ISSUER is {issuer!r}; it must look like https://id.example.org/path, "
            "letter by letter as the provider calls itself."
        )
    return ProviderSettings(issuer, client_id, client_secret, button)


def _mail(address: str | None, sender: str | None) -> MailSettings | None:
    if not address:
        if sender:
            raise BadSettingError("REREAD_MAIL_FROM is set without REREAD_SMTP, the mail server.")
        return None
    try:
        parts = urlsplit(address)
        security, usual = _MAIL[parts.scheme]
        host, port = parts.hostname, parts.port or usual
    except (KeyError, ValueError):
        host, security, port, parts = None, "none", 0, urlsplit("")
    if not host or parts.path not in {"", "/"}:
        # The value itself is not shown: it may hold a password.
        raise BadSettingError(
            "REREAD_SMTP must look like smtp://user:password@mail.example.org:587 (STARTTLS), "
            "smtps://... (TLS from the start) or smtp+plain://127.0.0.1:25 (not encrypted)."
        )
    if parts.password and security == "none":
        raise BadSettingError("REREAD_SMTP would send its password unencrypted: use smtp or smtps.")
    if not sender or "@" not in sender or not sender.isprintable():
        raise BadSettingError("With REREAD_SMTP set, REREAD_MAIL_FROM names the sending address.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailSettings(host, port, security, user, password, sender)
