from typing import Any

import pytest
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from kombu.transport.redis import Channel

from config.broker import celery_settings, without_password

REDIS_URLS = ["redis://h:1/0", "rediss://h", "redis+socket:///run/r.sock", "sentinel://h:1"]


def app_for(url: str) -> Any:
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_settings(url))
    return app


@pytest.mark.parametrize("url", [*REDIS_URLS, "amqp://h"])
def test_celery_knows_every_setting(url: str) -> None:
    known = {name for name, _ in flatten(NAMESPACES)}
    assert set(celery_settings(url)) <= known


def test_the_redis_transport_knows_its_options() -> None:
    connecting = {"max_retries", "interval_start", "interval_step", "interval_max"}
    options = set(celery_settings("redis://h")["broker_transport_options"]) - connecting
    assert options <= set(Channel.from_transport_options)


def test_an_application_takes_them() -> None:
    app = app_for("redis://h:1/0")
    assert app.conf.broker_url == "redis://h:1/0"
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result is True
    assert type(app.backend).__name__ == "DisabledBackend"
    assert app.conf.worker_concurrency == 2
    assert app.amqp.queues["detect"].name == "detect"


@pytest.mark.parametrize("url", REDIS_URLS)
def test_redis_hands_out_only_what_runs(url: str) -> None:
    settings = celery_settings(url)
    assert settings["worker_disable_prefetch"] is True
    assert settings["broker_transport_options"]["priority_steps"] == list(range(10))


def test_rabbitmq_confirms_what_it_took_and_gets_no_redis_options() -> None:
    settings = celery_settings("amqp://guest@h//")
    assert settings["worker_disable_prefetch"] is False
    assert settings["broker_transport_options"] == {"confirm_publish": True}


def test_no_two_applications_share_options() -> None:
    celery_settings("redis://h")["broker_transport_options"]["visibility_timeout"] = 1
    assert celery_settings("redis://h")["broker_transport_options"]["visibility_timeout"] == 60


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://me:s%40cret@host/0", "redis://me:***@host/0"),
        ("redis://host/0", "redis://host/0"),
        ("redis+socket:///nowhere/s", "redis+socket:///nowhere/s"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
