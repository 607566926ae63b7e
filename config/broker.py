"""How processes connect to the broker: the settings of Celery."""

from typing import Any
from urllib.parse import urlsplit

from core.errors import UsageError
from core.tasks import TASKS

_REDIS_OPTIONS = {
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,  # look at every interval, not at every tenth
    "priority_steps": list(range(10)),  # 0 is served first
    "queue_order_strategy": "round_robin",  # no task type starves another on a shared worker
    "socket_timeout": 10,  # a publisher must not wait for ever for a server that is gone
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # How a publisher connects: it gives up soon, because its sweep publishes again.
    "max_retries": 3,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 1,
}


def required_broker(url: str | None) -> str:
    """Return the broker's URL from the settings, for a process that can't start one itself.

    Raises:
        UsageError: no broker is set.
    """
    if url is None:
        raise UsageError("no broker is set", hint="set REGATTA_BROKER_URL, or use `regatta up`")
    return url


def without_password(url: str) -> str:
    """Return the broker's URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(
        netloc=f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}"
    ).geturl()


def celery_settings(broker_url: str, *, visibility_seconds: float = 60) -> dict[str, Any]:
    """Return the settings that the publishing and the working Celery application share.

    The database owns state and redelivery; the broker rings. So there are no results, no
    prefetching, no early retries by Celery, and no talk among workers. (Celery takes "no gossip"
    and "no mingle" only as options of its `worker` command, not as settings.)
    """
    is_redis = urlsplit(broker_url).scheme.startswith(("redis", "sentinel"))
    # Messages are acknowledged when their task starts: one is unacknowledged for a moment only,
    # and if its worker dies in that moment, it is back in the queue about a minute later.
    redis_options = {"visibility_timeout": visibility_seconds, **_REDIS_OPTIONS}
    return {
        "broker_url": broker_url,
        "broker_transport_options": redis_options if is_redis else {"confirm_publish": True},
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker outlives any outage of its broker
        "broker_connection_timeout": 5,
        # What travels.
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        "task_default_queue": TASKS[0],
        "task_default_delivery_mode": "persistent",
        "task_publish_retry": True,
        "task_publish_retry_policy": {
            "max_retries": 3,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 1,
        },
        # No results.
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # A message is gone when its task starts: leases in the database say who works on what.
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        # Threads around one engine: two shards overlap, and the device never waits.
        "worker_pool": "threads",
        "worker_concurrency": 2,
        # Redis: nothing is popped that no thread is free for (a free thread is noticed within a
        # second). Other brokers know no such switch; there one message per thread waits.
        "worker_disable_prefetch": is_redis,
        "worker_prefetch_multiplier": 1,
        # Both concern late acknowledgement: the first would only narrow the worker after a
        # reconnect; the second does nothing here, but without it Celery warns each time.
        "worker_enable_prefetch_count_reduction": False,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        # No talk: heartbeats and progress are rows in the database.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        # Logging is ours, see config.logs; stdout is for data.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_log_color": False,
    }
