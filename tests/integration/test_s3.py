"""S3 as it is on a bad day: each fault is passed over, or named in our words."""

import io
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from core.errors import BadInputError, BlockedError, FatalError, RegattaError, RetryableError
from store.objects import ObjectStore
from store.s3.client import s3_client
from store.s3.location import S3Location
from store.s3.store import S3Objects
from tests.buckets.faultproxy import Fault, FaultProxy, always, at_first, fault_proxy
from tests.buckets.server import Server, free_port

MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 1_000


@pytest.fixture
def proxy(moto_server: Server) -> Iterator[FaultProxy]:
    with fault_proxy(moto_server.url) as proxy:
        yield proxy


@pytest.fixture
def bucket(moto_server: Server) -> str:
    name = f"bucket-{uuid4().hex}"
    s3_client(moto_server.options()).create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["boto3", "obstore"])
def store(request: pytest.FixtureRequest, proxy: FaultProxy, bucket: str) -> ObjectStore:
    # Patience costs nothing where an answer always comes, and a busy machine needs it.
    slow = {Fault.SILENT, Fault.STALL}
    patience = 1.0 if request.node.callspec.params.get("fault") in slow else 60.0
    options = Server(proxy.url).options(reader=request.param, read_timeout=patience, page_keys=2)
    return S3Objects(S3Location(bucket, "p/"), options)


PASSING = [Fault.SLOW_DOWN, Fault.INTERNAL, Fault.RESET, Fault.SILENT, Fault.CUT, Fault.STALL]


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_not_seen(store: ObjectStore, proxy: FaultProxy, fault: Fault) -> None:
    cuts_bodies = fault in {Fault.CUT, Fault.STALL}
    store.put("a", CONTENT)
    proxy.plan = at_first(fault)
    assert store.get("a") == CONTENT
    with store.open("a") as file:
        assert file.read() == CONTENT
    if not cuts_bodies:  # the answers to these are short, and are cut to nothing
        store.put("b/c", CONTENT)
        store.copy("b/c", "b/d")
        store.delete("b/c")
        assert [info.key for info in store.list()] == ["a", "b/d"]
        assert store.head("b/d").size == len(CONTENT)
    assert proxy.seen[fault] >= 1


def test_a_stream_goes_on_where_it_broke_off(store: ObjectStore, proxy: FaultProxy) -> None:
    content = CONTENT * 40
    store.put("a", content)
    proxy.plan = always(Fault.CUT, method="GET")
    with store.open("a") as file:
        read = [file.read(len(content) // 3)]
        read.append(file.read(len(content) // 3))
        proxy.plan = at_first()
        read.append(file.read())
    assert b"".join(read) == content
    assert proxy.seen[Fault.CUT] >= 2


def test_the_rest_of_a_replaced_object_is_refused(store: ObjectStore, proxy: FaultProxy) -> None:
    store.put("a", CONTENT * 40)
    proxy.plan = always(Fault.CUT, method="GET")
    with store.open("a") as file:
        assert file.read(1_000) == CONTENT[:1_000]
        store.put("a", CONTENT * 41)
        proxy.plan = at_first()
        with pytest.raises(BadInputError) as caught:
            file.read()
    assert caught.value.reason == "source_changed"


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_may_pass_later(
    store: ObjectStore, proxy: FaultProxy, fault: Fault
) -> None:
    store.put("a", CONTENT)
    proxy.plan = always(fault)
    with pytest.raises(RetryableError, match="p/a") as caught:
        store.get("a")
    assert not isinstance(caught.value, BlockedError)


@pytest.mark.parametrize(
    ("fault", "reason", "said"),
    [
        (Fault.DENIED, "access_denied", "allow s3:GetObject on arn:aws:s3:::{bucket}/p/a"),
        (Fault.ARCHIVED, "archived", "restore it"),
        (Fault.ODD, "store_refused", "the proxy says so"),
    ],
)
def test_what_is_said_against_one_object(
    store: ObjectStore, proxy: FaultProxy, bucket: str, fault: Fault, reason: str, said: str
) -> None:
    store.put("a", b"1")
    store.put("b", b"2")
    proxy.plan = always(fault, on="p/a")
    for ask in (store.get, store.head, store.exists, store.open):
        with pytest.raises(BadInputError) as caught:
            ask("a")
        assert caught.value.reason == reason
        assert f"s3://{bucket}/p/a" in str(caught.value)
        assert said.format(bucket=bucket) in str(caught.value)
    assert store.get("b") == b"2"


def everything(store: ObjectStore) -> list[Callable[[], object]]:
    return [
        lambda: store.get("a"),
        lambda: store.open("a"),
        lambda: store.head("a"),
        lambda: store.exists("a"),
        lambda: store.put("a", b"1"),
        lambda: store.put_stream("a", io.BytesIO(b"1")),
        lambda: store.copy("a", "b"),
        lambda: store.delete("a"),
        lambda: list(store.list()),
    ]


@pytest.mark.parametrize(
    ("fault", "kind", "hint"),
    [
        (Fault.EXPIRED, BlockedError, "renew the credentials"),
        (Fault.FULL, BlockedError, "free some space"),
        (Fault.QUOTA, BlockedError, "free some space"),
        (Fault.NO_BUCKET, FatalError, "correct its name"),
    ],
)
def test_what_is_wrong_with_everything(
    store: ObjectStore, proxy: FaultProxy, fault: Fault, kind: type[RegattaError], hint: str
) -> None:
    proxy.plan = always(fault)
    for ask in everything(store):
        with pytest.raises(kind) as caught:
            ask()
        assert hint in (caught.value.hint or "")


def test_what_may_not_be_written_or_listed_waits_for_a_permission(
    store: ObjectStore, proxy: FaultProxy, bucket: str
) -> None:
    store.put("a", b"1")
    proxy.plan = lambda method, path: (
        Fault.DENIED if method in {"PUT", "DELETE"} or "list-type" in path else None
    )
    for ask, grant in (
        (lambda: store.put("b", b"1"), f"s3:PutObject on arn:aws:s3:::{bucket}/p/b"),
        (lambda: store.copy("a", "b"), f"s3:PutObject on arn:aws:s3:::{bucket}/p/b"),
        (lambda: store.delete("a"), f"s3:DeleteObject on arn:aws:s3:::{bucket}/p/a"),
        (lambda: list(store.list()), f"s3:ListBucket on arn:aws:s3:::{bucket}"),
    ):
        with pytest.raises(BlockedError) as caught:
            ask()
        assert caught.value.hint == f"allow {grant}"


def test_nobody_there(s3_credentials: None) -> None:
    options = Server(f"http://127.0.0.1:{free_port()}").options(max_attempts=1)
    for ask in everything(S3Objects(S3Location("bucket", ""), options)):
        with pytest.raises(BlockedError, match=r"127\.0\.0\.1") as caught:
            ask()
        assert "s3_endpoint_url" in (caught.value.hint or "")


def test_no_credentials(moto_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    options = moto_server.options(connections=3)  # a client of its own
    for ask in everything(S3Objects(S3Location("bucket", ""), options)):
        with pytest.raises(BlockedError) as caught:
            ask()
        assert "renew the credentials" in (caught.value.hint or "")
    assert "testing" not in repr(options)


def test_a_bucket_that_does_not_exist(moto_server: Server) -> None:
    for ask in everything(S3Objects(S3Location("no-such-bucket", ""), moto_server.options())):
        with pytest.raises(FatalError, match="no bucket 'no-such-bucket'"):
            ask()


@pytest.mark.parametrize("server", ["moto_server", "swift_server"])
def test_large_objects_go_and_are_copied_in_parts(
    request: pytest.FixtureRequest, server: str
) -> None:
    options = request.getfixturevalue(server).options(multipart_bytes=5 * MIB, copy_bytes=5 * MIB)
    bucket = f"bucket-{uuid4().hex}"
    client = s3_client(options)
    client.create_bucket(Bucket=bucket)
    store = S3Objects(S3Location(bucket, ""), options)
    content = bytes(range(256)) * (37 * MIB // 256)
    store.put("a", content)
    store.put_stream("b", io.BytesIO(content))
    store.copy("a", "c")
    for key in "abc":
        assert store.get(key) == content
        assert client.head_object(Bucket=bucket, Key=key)["ETag"].endswith('-3"')  # parts
    with store.open("c") as file:
        file.seek(20 * MIB)
        assert file.read(100) == content[20 * MIB : 20 * MIB + 100]


def test_requests_say_what_the_options_say(moto_server: Server, bucket: str) -> None:
    options = moto_server.options(
        encryption="aws:kms", kms_key_id="our-key", requester_pays=True, multipart_bytes=5 * MIB
    )
    store = S3Objects(S3Location(bucket, ""), options)
    store.put("small.jpg", b"1")
    store.put("large", bytes(6 * MIB))
    store.copy("small.jpg", "copy.jpg")
    for key, kind in (
        ("small.jpg", "image/jpeg"),
        ("large", "application/octet-stream"),
        ("copy.jpg", "image/jpeg"),
    ):
        said = s3_client(options).head_object(Bucket=bucket, Key=key)
        assert said["ServerSideEncryption"] == "aws:kms"
        assert said["SSEKMSKeyId"].endswith("our-key")
        assert said["ContentType"] == kind
    assert store.get("small.jpg") == b"1"


def test_folders_that_consoles_make_are_no_objects(moto_server: Server, bucket: str) -> None:
    options = moto_server.options()
    client = s3_client(options)
    for key in ("p/", "p/a", "p/sub/", "p/sub/b"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    store = S3Objects(S3Location(bucket, "p"), options)
    assert [info.key for info in store.list()] == ["a", "sub/b"]
