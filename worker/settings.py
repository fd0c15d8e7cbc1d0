"""Settings: the environment, read once into one frozen value. Nothing else reads environment variables, but for
`runtime/environment.py`, which sets those of embedded servers and puts them back.
"""

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from worker.errors import ConfigurationError

#: How a Redis of several servers begins: Sentinels that watch over a master, or a cluster.
SEVERAL = ("sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
#: How the URLs of servers begin.
SCHEMES = {
    "database_url": ("postgresql", "postgres", "postgresql+psycopg2"),
    "redis_url": ("redis", "rediss", "unix", *SEVERAL),
    "cache_redis_url": ("redis", "rediss", "unix", *SEVERAL),
    "broker_url": ("redis", "rediss", "redis+socket", "sentinel", "rediss+sentinel", "amqp", "amqps"),
}


def urls_by_host(url: str) -> list[str]:
    """Splits the URL of several servers into one of each: Sentinels stand side by side (`;`), as brokers do, and the
    nodes of a cluster in one place (`,`).
    """
    if url.startswith(("redis+cluster:", "rediss+cluster:")):
        parts = urlsplit(url)
        login, at, hosts = parts.netloc.rpartition("@")
        return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]
    return url.split(";") if url.startswith(("sentinel:", "rediss+sentinel:", "amqp")) else [url]


def _database_servers(url: str) -> list[str]:
    """Servers that stand side by side before a database's name, behind the password: SQLAlchemy takes any
    sign in it.
    """
    servers = re.split("[/?]", url.partition("://")[2].rpartition("@")[2], maxsplit=1)[0]
    return [f"//{server}" for server in servers.split(",")]


class Settings(BaseModel):
    """Settings of a process. Field names in upper case are the environment variables; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    redis_master_name: str | None = None
    redis_sentinel_password: SecretStr | None = None
    cache_redis_url: SecretStr | None = None
    cache_redis_master_name: str | None = None
    cache_redis_sentinel_password: SecretStr | None = None
    broker_url: SecretStr | None = None
    broker_master_name: str | None = None
    broker_sentinel_password: SecretStr | None = None

    openai_api_key: SecretStr | None = None
    gemini_api_key: SecretStr | None = None
    deepseek_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    gemini_base_url: str | None = None
    deepseek_base_url: str | None = None
    providers_file: Path | None = None

    ai_monthly_budget_usd: Decimal | None = Field(None, ge=0)
    ai_daily_budget_usd: Decimal | None = Field(None, ge=0)
    ai_calls_per_customer_hour: int = Field(60, ge=1)
    replies_per_customer_hour: int = Field(120, ge=1)
    human_wait_s: float = Field(1_800.0, gt=0)
    late_after_s: float = Field(86_400.0, gt=0, le=86_400)

    reply_quiet_s: float = Field(1.0, ge=0, le=30)
    flow_lease_s: float = Field(15.0, gt=0)
    ai_deadline_s: float = Field(30.0, gt=0)
    ai_probe_every_s: float = Field(21_600.0, ge=0)
    precache_daily_usd: Decimal | None = Field(None, ge=0)
    ai_parallel_calls: int = Field(128, ge=1, le=192)
    sweep_every_s: float = Field(2.0, gt=0)
    batch_max: int = Field(100, ge=1, le=1000)
    retention_days: int = Field(90, ge=1, le=36_500)

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(9464, ge=0, le=65535)

    shop_file: Path | None = None
    shop_name: str = Field("el supermercado", max_length=80)
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = Field(8090, ge=1, le=65_535)
    dashboard_password: SecretStr | None = None
    dashboard_admin_password: SecretStr | None = None

    log_format: str = Field("auto", pattern="^(auto|json|console)$")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    flower_port: int = Field(5555, ge=1, le=65_535)
    flower_basic_auth: SecretStr | None = None
    flower_url_prefix: str | None = Field(None, max_length=200, pattern="^/?[A-Za-z0-9_~-]+(/[A-Za-z0-9_~-]+)*/?$")
    otel_exporter_otlp_endpoint: str | None = Field(None, pattern="^https?://")
    otel_exporter_otlp_headers: SecretStr | None = None
    otel_traces_sampler_arg: float = Field(1.0, ge=0, le=1)

    @field_validator(*SCHEMES)
    @classmethod
    def is_url(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Refuses what is no URL, and quotes no part of it: where a password is not percent-encoded, each may be it."""
        given = value.get_secret_value() if value else ""
        schemes = SCHEMES[str(info.field_name)]
        if value and not given.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        parts: list[str] = []
        try:
            parts = _database_servers(given) if info.field_name == "database_url" else urls_by_host(given)
            ports = [urlsplit(part).port for part in parts]
        except ValueError:
            ports = [0]
        if info.field_name == "database_url" and len(parts) > 1 and "//" in parts:
            raise ValueError("a server is missing beside a comma")
        if 0 in ports:
            raise ValueError("its port is no port; a password must be percent-encoded where it has / ? # @ or :")
        return value

    @field_validator("flower_url_prefix")
    @classmethod
    def without_slashes(cls, value: str | None) -> str | None:
        """Returns the path as Flower takes it."""
        return value.strip("/") if value else None

    @property
    def cache_url(self) -> SecretStr | None:
        """Redis of the four cache layers: `CACHE_REDIS_URL`, or else the durable one."""
        return self.cache_redis_url or self.redis_url

    @property
    def has_one_redis(self) -> bool:
        """True where one Redis does both roles."""
        one = (self.redis_url, self.redis_master_name)
        return (self.cache_url, self.cache_master_name) == one

    @property
    def cache_master_name(self) -> str | None:
        """The group of the cache Redis: its own, or else that of the durable one where both have one URL."""
        return self.cache_redis_master_name or (None if self.cache_redis_url else self.redis_master_name)

    @property
    def cache_sentinel_password(self) -> SecretStr | None:
        """Password of the Sentinels that watch over the cache Redis."""
        return self.cache_redis_sentinel_password or (None if self.cache_redis_url else self.redis_sentinel_password)

    @property
    def celery_broker_url(self) -> SecretStr | None:
        """Celery's broker: `BROKER_URL`, or else the durable Redis."""
        return self.broker_url or self.redis_url

    @property
    def celery_master_name(self) -> str | None:
        """The group of the broker: its own, or else that of the durable Redis where both have one URL."""
        return self.broker_master_name or (None if self.broker_url else self.redis_master_name)

    @property
    def celery_sentinel_password(self) -> SecretStr | None:
        """Password of the Sentinels that watch over the broker."""
        return self.broker_sentinel_password or (None if self.broker_url else self.redis_sentinel_password)

    def required(self, name: str) -> str:
        """Returns the plain value of a connection setting.

        Raises:
            ConfigurationError: it is unset; with the way out.
        """
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise ConfigurationError(
                f"{name.upper()} is not set. Set it, or use a command that starts the embedded servers (chasqui up)."
            )
        return value.get_secret_value()


#: Settings that hold a password, a key or a URL with one: each may also stand in a file.
SECRETS = frozenset(name for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None)
#: Settings that hold the key of a language model's API.
PROVIDER_KEYS = frozenset(name for name in Settings.model_fields if name.endswith("_api_key"))
#: End of a variable that names the file with a secret, as Docker's and Kubernetes' secrets do.
FILE = "_FILE"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Reads settings from environment variables; an empty value counts as unset.

    Raises:
        ConfigurationError: names each variable that does not fit and why, never its value.
    """
    given: dict[str, str] = {}
    problems: list[str] = []
    for name in Settings.model_fields:
        try:
            value = _secret(name.upper(), environ) if name in SECRETS else environ.get(name.upper())
        except ConfigurationError as exc:
            problems.append(str(exc))
        else:
            given |= {name: value} if value else {}
    try:
        found = Settings.model_validate(given)
    except ValidationError as exc:
        problems += [f"{str(error['loc'][0]).upper()}: {error['msg']}" for error in exc.errors()]
    if problems:
        raise ConfigurationError(f"environment: {'; '.join(problems)}") from None
    return found


def secret_of_environment(name: str, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """Returns a secret that is no setting (the key of a provider that PROVIDERS_FILE names), or None where it is unset.

    Raises:
        ConfigurationError: it is set twice, or its file cannot be read.
    """
    try:
        found = _secret(name, environ)
    except ConfigurationError as exc:
        raise ConfigurationError(f"environment: {exc}") from None
    return SecretStr(found) if found else None


def _secret(variable: str, environ: Mapping[str, str]) -> str | None:
    """Returns a secret from its variable or its file. Errors name no path: it may be a key in the wrong variable."""
    given, file = environ.get(variable), environ.get(f"{variable}{FILE}")
    if not file:
        return given
    if given:
        raise ConfigurationError(f"{variable}: it is set and so is {variable}{FILE}")
    try:
        found = Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a text"
        raise ConfigurationError(f"{variable}{FILE}: the file cannot be read ({reason})") from None
    if not found:
        raise ConfigurationError(f"{variable}{FILE}: the file is empty")
    return found


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Returns the settings of this process, read at first use."""
    return read_settings(os.environ)
