"""A bucket, or a prefix of one, as an object store."""

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import ClientError

from core.errors import BadInputError, RetryableError
from store.objects import ObjectInfo
from store.s3.client import s3_client
from store.s3.errors import CUT_SHORT, Request, asking
from store.s3.listing import bare, list_page
from store.s3.location import S3Location
from store.s3.options import S3Options
from store.s3.reader import reader
from store.s3.stream import S3Stream, pause
from store.s3.upload import said_of, server_side_copy, upload

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_KEY_BYTES = 1024
_BUFFER_BYTES = 256 * 1024


class S3Objects:
    """The objects in a bucket whose keys start with a prefix; an `ObjectStore`.

    Keys are relative to the prefix, which is empty or ends in a slash. An etag is S3's own. What
    was put is durable at once.
    """

    def __init__(self, location: S3Location, options: S3Options) -> None:
        self._bucket = location.bucket
        self._prefix = location.folder
        self._options = options

    def get(self, key: str, *, if_match: str | None = None, max_bytes: int | None = None) -> bytes:
        """Return the object's content; see `ObjectStore.get`."""
        request = self._request("read", "s3:GetObject", key)
        if self._options.reader == "boto3":
            return self._read_on(request, if_match, max_bytes)
        fast = reader(self._bucket, self._options)
        data = fast.get(request.key, if_match=if_match, max_bytes=max_bytes)
        if data is None:
            data = self._read_on(request, if_match, max_bytes)
            fast.missed()
        return data

    def open(self, key: str) -> BinaryIO:
        """Return the object's content as a seekable stream; see `ObjectStore.open`."""
        request = self._request("read", "s3:GetObject", key)

        def fetch(offset: int, etag: str | None) -> Any:
            part = {"Range": f"bytes={offset}-"} if offset else {}
            with asking(request, self._options):
                return self._get(request, bare(etag) if etag else None, **part)

        raw = S3Stream(fetch, request.url, attempts=self._options.max_attempts)
        return cast("BinaryIO", io.BufferedReader(raw, _BUFFER_BYTES))

    def put(self, key: str, data: bytes | memoryview, *, durable: bool = False) -> None:
        """Create or replace the object; see `ObjectStore.put`."""
        del durable
        if len(data) > self._options.multipart_bytes:
            self.put_stream(key, io.BytesIO(data))
            return
        request = self._request("write", "s3:PutObject", key)
        said: Any = said_of(request.key, self._options)
        with asking(request, self._options):
            self._client.put_object(Bucket=self._bucket, Key=request.key, Body=bytes(data), **said)

    def put_stream(self, key: str, source: BinaryIO, *, durable: bool = False) -> None:
        """Create or replace the object, in parts if it is large; see `ObjectStore.put_stream`."""
        del durable
        request = self._request("write", "s3:PutObject", key)
        with asking(request, self._options):
            upload(self._client, self._bucket, request.key, source, self._options)

    def head(self, key: str) -> ObjectInfo:
        """Return what S3 knows about the object; see `ObjectStore.head`."""
        request = self._request("read", "s3:GetObject", key)
        with asking(request, self._options):
            return replace(self._head(request), key=key)

    def exists(self, key: str) -> bool:
        """Return whether the object is there; see `ObjectStore.exists`."""
        try:
            self.head(key)
        except BadInputError as error:
            if error.reason == "source_missing":
                return False
            raise
        return True

    def copy(self, src: str, dst: str) -> None:
        """Copy an object within the bucket, without downloading it; see `ObjectStore.copy`."""
        read = self._request("read", "s3:GetObject", src)
        write = self._request("write", "s3:PutObject", dst)
        with asking(read, self._options):
            size = self._head(read).size
        with asking(write, self._options):
            server_side_copy(self._client, self._bucket, read.key, write.key, size, self._options)

    def delete(self, key: str) -> None:
        """Remove the object; see `ObjectStore.delete`."""
        request = self._request("delete", "s3:DeleteObject", key)
        pays: Any = self._options.asks_payment
        try:
            with asking(request, self._options):
                self._client.delete_object(Bucket=self._bucket, Key=request.key, **pays)
        except BadInputError as error:
            if error.reason != "source_missing":
                raise

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects in order; see `ObjectStore.list`. Memory holds a page.

        Raises:
            FatalError: there is no such bucket.
            BlockedError: it may not be listed.
        """
        if "\0" in prefix:
            return
        whole = self._prefix + prefix
        request = Request("list", "s3:ListBucket", self._bucket, whole)
        token = None
        after = self._prefix + start_after if start_after else ""
        while True:
            with asking(request, self._options):
                infos, token = list_page(
                    self._client,
                    self._bucket,
                    whole,
                    start_after=after,
                    token=token,
                    options=self._options,
                )
            for info in infos:
                yield replace(info, key=info.key[len(self._prefix) :])
            if not token:
                return

    def entries(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects in order: a bucket holds nothing else."""
        return self.list(prefix, start_after)

    def url(self, key: str) -> str:
        """Return the object's `s3://` URL."""
        return S3Location(self._bucket, self._whole(key)).url

    @property
    def _client(self) -> "S3Client":
        return s3_client(self._options)

    def _request(self, verb: str, permission: str, key: str) -> Request:
        return Request(verb, permission, self._bucket, self._whole(key))

    def _whole(self, key: str) -> str:
        whole = self._prefix + key
        try:
            length = len(whole.encode())
        except UnicodeEncodeError as error:
            raise BadInputError("bad_key", f"{key!r} is not text") from error
        segments = key.split("/")
        if "\0" in key or any(segment in {"", ".", ".."} for segment in segments):
            raise BadInputError("bad_key", f"{key!r} does not name an object in a folder")
        if length > _KEY_BYTES:
            raise BadInputError("bad_key", f"{key!r} has {length} bytes; S3 allows {_KEY_BYTES}")
        return whole

    def _get(self, request: Request, if_match: str | None, **more: Any) -> Any:
        if if_match is not None:
            more["IfMatch"] = f'"{if_match}"'
        pays: Any = self._options.asks_payment
        return self._client.get_object(Bucket=self._bucket, Key=request.key, **pays, **more)

    def _read_on(self, request: Request, if_match: str | None, max_bytes: int | None) -> bytes:
        """Read a whole object, again if its body was cut short."""
        failures = 0
        while True:
            try:
                with asking(request, self._options):
                    return self._read(request, if_match, max_bytes)
            except _CutShortError as error:
                failures += 1
                if failures >= self._options.max_attempts:
                    raise RetryableError(str(error)) from error
                pause(failures)

    def _read(self, request: Request, if_match: str | None, max_bytes: int | None) -> bytes:
        answer = self._get(request, if_match)
        with closing(answer["Body"]) as body:
            size = answer["ContentLength"]
            if max_bytes is not None and size > max_bytes:
                raise BadInputError(
                    "too_large", f"{request.url} has {size} bytes; {max_bytes} are allowed"
                )
            try:
                data: bytes = body.read()
            except CUT_SHORT as error:
                raise _CutShortError(f"{request.url}: {error}") from error
            return data

    def _head(self, request: Request) -> ObjectInfo:
        pays: Any = self._options.asks_payment
        try:
            answer: Any = self._client.head_object(Bucket=self._bucket, Key=request.key, **pays)
        except ClientError as error:
            # An answer to HEAD has no room for what is wrong: expired, denied, no such bucket.
            answer = self._get(request, None, Range="bytes=0-0")
            answer["Body"].close()
            raise RetryableError(f"{request.url}: {error}, but only now and then") from error
        modified = float(int(answer["LastModified"].timestamp()))
        return ObjectInfo(request.key, answer["ContentLength"], bare(answer["ETag"]), modified)


class _CutShortError(Exception):
    """The body ended before its promised length, or stalled."""
