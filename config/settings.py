"""The settings of a process, validated."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.settings_errors import usage_error
from config.settings_file import SettingsFile, default_home, find_settings_file

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1)]


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _absolute_if_path(location: str) -> str:
    return location if "://" in location else str(_absolute(Path(location)))


def _in_home(pattern: str) -> Callable[[dict[str, Any]], str]:
    return lambda values: pattern.format(home=values["home"])


class Settings(BaseSettings):
    """The settings of one process, read once where it starts and passed down as plain values.

    Each setting comes from the flags, else `REGATTA_<NAME>` in the environment, else the
    settings file, else its default.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="REGATTA_", env_ignore_empty=True
    )

    home: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=default_home,
        description="Where the embedded broker, database and outputs live. Each home "
        "is a Regatta of its own.",
    )
    database_url: str = Field(
        default_factory=_in_home("sqlite:///{home}/regatta.db"),
        repr=False,
        description="Job state: `sqlite:///<path>` or `postgresql://user:password@host/name`.",
    )
    broker_url: str | None = Field(
        default=None,
        repr=False,
        description="Message broker, `redis://...`. Without one, a broker is started in `home`.",
    )
    objects: Annotated[str, AfterValidator(_absolute_if_path)] = Field(
        default_factory=_in_home("{home}/outputs"),
        min_length=1,
        description="Where jobs without `--output` write: each to a directory with its id.",
    )
    lease_seconds: Seconds = Field(
        default=30, description="A shard whose worker is silent for this long goes to another."
    )
    heartbeat_seconds: Seconds = Field(
        default=2,
        description="How often workers report in. At most a third of `lease_seconds`.",
    )
    stall_seconds: Seconds = Field(
        default=300, description="A worker that makes no progress for this long ends itself."
    )
    picture_seconds: Seconds = Field(
        default=60,
        description="How long a step of a picture, like decoding or drawing, may take before it is "
        "tried alone, in a process of its own: three times as long, then it is quarantined.",
    )
    megapixel_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=1, description="How much longer for each megapixel of the picture."
    )
    max_tries: Count = Field(
        default=5, description="How often a shard is tried before its items are quarantined."
    )
    compact_parts: Annotated[int, Field(ge=0)] = Field(
        default=100,
        description="Jobs with at least so many result parts are compacted once they have ended, "
        "for fast queries. 0: none, unless asked for by `regatta compact`.",
    )
    republish_seconds: Seconds = Field(
        default=10, description="A message that no worker takes for this long is sent again."
    )
    visibility_seconds: Seconds = Field(
        default=60,
        description="A message that a worker took but did not begin before it died returns to its "
        "queue after this long.",
    )
    drain_seconds: Seconds = Field(
        default=20, description="How long a stopping worker may take to finish what it has begun."
    )
    concurrency: Count = Field(
        default=2, description="Shards that overlap in one worker process, to keep it busy."
    )
    cores: Count | None = Field(
        default=None,
        description="Cores that a worker process counts on. By default those that its "
        "affinity and its container's limit allow; `regatta worker` divides them up.",
    )
    preload: str = Field(
        default="",
        description="Registered models to load before taking work, separated by commas.",
    )
    hang_seconds: Seconds = Field(
        default=120,
        description="A worker process that gives no sign of life for so long is killed and "
        "started again.",
    )
    predictors: Count | None = Field(
        default=None, description="Predictors per process. By default what suits the device."
    )
    decode_threads: Count | None = Field(
        default=None, description="Threads that decode images. By default what suits the cores."
    )
    batch_size: Count | None = Field(
        default=None, description="Images per inference. By default what suits the device."
    )
    max_pixels: Count = Field(
        default=200_000_000, description="Images with more pixels are quarantined undecoded."
    )
    picture_megabytes: Count = Field(
        default=512,
        description="Memory (MiB) of a worker process for pictures in flight: files, pixels, what "
        "decoders need, drawings. A larger one is worked on alone.",
    )
    max_item_bytes: Count = Field(
        default=256 * 1024 * 1024, description="Images with more bytes are quarantined unread."
    )
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = Field(
        default=90, description="Quality of annotated pictures."
    )
    shard_items: Count | None = Field(
        default=None, description="Items per shard. By default about a minute of work."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` is `console` on a terminal, else `json`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe level that is logged."
    )
    transfer_threads: Count = Field(
        default=8, description="Threads of a worker that read items; as many write."
    )
    s3_endpoint_url: Annotated[str | None, Field(pattern=r"^https?://[^@]+$")] = Field(
        default=None,
        description="The S3-compatible service. By default AWS, or as the AWS configuration says.",
    )
    s3_region: str | None = Field(
        default=None, description="Its region. By default as the AWS configuration says."
    )
    s3_addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto", description="Where requests name the bucket: in the path or in the host."
    )
    s3_ca_bundle: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None, description="Certificates (PEM) that sign the service's own."
    )
    s3_anonymous: bool = Field(
        default=False, description="Don't sign requests: for public buckets, without credentials."
    )
    s3_requester_pays: bool = Field(
        default=False, description="Pay for requests to buckets whose owners do not."
    )
    s3_encryption: Literal["AES256", "aws:kms"] | None = Field(
        default=None, description="Encryption at rest to ask for. By default as the bucket does."
    )
    s3_kms_key_id: str | None = Field(
        default=None, description="The key for `aws:kms`. By default the bucket's or account's."
    )
    s3_retry_mode: Literal["standard", "adaptive"] = Field(
        default="standard", description="`adaptive` also slows down when the service asks for it."
    )
    s3_max_attempts: Count = Field(
        default=5, description="How often a request is made before its shard is left for later."
    )
    s3_connect_timeout: Seconds = Field(
        default=10, description="How long a connection to S3 may take to open."
    )
    s3_read_timeout: Seconds = Field(
        default=60, description="How long S3 may be silent in the middle of an answer."
    )
    s3_reader: Literal["obstore", "boto3"] = Field(
        default="obstore", description="What items are read with; `obstore` takes less CPU."
    )
    models_directory: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda values: values["home"] / "models",
        description="Where downloaded models are kept. In a fleet: a directory that every "
        "machine finds under the same path.",
    )
    catalogue_url: Annotated[str, Field(pattern=r"^(https?|s3)://[^@]+$")] = Field(
        default="https://paddle-model-ecology.bj.bcebos.com/paddlex/official_inference_model/"
        "paddle3.0.0",
        description="Where `regatta models pull` finds `<name>_infer.tar`: Paddle's own server, or "
        "a mirror of it.",
    )
    engines: str = Field(
        default="paddle",
        pattern=r"^\w+(\.\w+)*(\s*,\s*\w+(\.\w+)*)*$",
        description="What a worker runs networks with: Regatta's engines, or modules like them "
        "(with `offers`, `ways` and `load`), separated by commas; or `none`, to run only what "
        "needs none.",
    )
    model_memory: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25,
        description="Share of the memory that a worker process may fill with loaded models. Idle "
        "ones make room, the least recently used first.",
    )

    notify_commands: bool = Field(
        default_factory=lambda values: values["database_url"].startswith("sqlite"),
        description="Whether schedulers run what jobs name as `--notify-command`. By default only "
        "with SQLite: on PostgreSQL, whoever may submit jobs could run anything there.",
    )
    notify_private: bool = Field(
        default=True,
        description="Whether schedulers call webhooks at private addresses, such as 10.0.0.1. "
        "Link-local ones are never called.",
    )

    @model_validator(mode="after")
    def _renew_in_time(self) -> Self:
        if self.heartbeat_seconds * 3 > self.lease_seconds:
            raise ValueError(
                f"heartbeat_seconds ({self.heartbeat_seconds:g}) may be at most a third of "
                f"lease_seconds ({self.lease_seconds:g}): a lease must outlast lost heartbeats"
            )
        return self

    @model_validator(mode="after")
    def _key_for_kms(self) -> Self:
        if self.s3_kms_key_id is not None and self.s3_encryption != "aws:kms":
            raise ValueError("s3_kms_key_id is used with s3_encryption = 'aws:kms' only")
        return self

    @property
    def s3(self) -> dict[str, Any]:
        """The settings of S3 without their prefix, as plain values."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        named = {n.removeprefix("s3_"): v for n, v in values.items() if n.startswith("s3_")}
        return {n: str(v) if isinstance(v, Path) else v for n, v in named.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there is no such file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - nor such a folder
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first."""
        path = find_settings_file(init_settings())
        return init_settings, env_settings, SettingsFile(settings_cls, path)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of this process; `overrides` come from flags, None means not given.

    Raises:
        UsageError: a value is not allowed, a name in the settings file is unknown, or the file
            can't be read. The message names the setting, where it came from, and what is allowed.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise usage_error(error, given, Settings.model_fields) from None
