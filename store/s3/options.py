from dataclasses import dataclass
from typing import Literal

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class S3Options:
    """How S3 is spoken to; whose credentials are used is left to their usual places.

    Those are the environment, the shared configuration files with their profiles, and what the
    machine or its container was given. `connections` are the most that are open at once, and
    `reader` is what small objects are read with.
    """

    endpoint_url: str | None = None
    region: str | None = None
    addressing: Literal["auto", "path", "virtual"] = "auto"
    ca_bundle: str | None = None
    anonymous: bool = False
    requester_pays: bool = False
    encryption: Literal["AES256", "aws:kms"] | None = None
    kms_key_id: str | None = None
    retry_mode: Literal["standard", "adaptive"] = "standard"
    max_attempts: int = 5
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    connections: int = 16
    reader: Literal["boto3", "obstore"] = "obstore"
    multipart_bytes: int = 64 * MIB
    """Larger objects are uploaded in parts."""

    copy_bytes: int = 5 * 1024 * MIB
    """Larger objects are copied in parts: S3 refuses to copy them in one request."""

    page_keys: int = 1000
    """Keys per request of a listing; S3 gives no more."""

    @property
    def asks_payment(self) -> dict[str, str]:
        """What each request says about who pays for it."""
        return {"RequestPayer": "requester"} if self.requester_pays else {}

    @property
    def asks_encryption(self) -> dict[str, str]:
        """What each request that writes says about encryption at rest."""
        asked = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key_id}
        return {name: value for name, value in asked.items() if value is not None}
