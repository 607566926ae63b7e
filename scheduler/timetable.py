"""The times of a schedule, in its time zone.

Cron as Debian's: if the minute and the hour are both given, a time in the hour that daylight saving
skips comes at the end of that hour, and one in the hour that it repeats comes once, at the first
pass. Otherwise (`*`, `*/15` in either field) times are periodic: they come in both passes of the
repeated hour, and what would be in the missing hour does not come.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from core.errors import UsageError
from core.near import did_you_mean

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5
_HINT = "five fields: minute, hour, day of the month, month, day of the week, like '0 2 * * *'"
# No zone repeats more than that; whoever begins so much earlier meets the first pass, too.
_LONGEST_REPEAT = timedelta(hours=3)


class Timetable:
    """The times of a cron expression in a time zone.

    Raises:
        UsageError: the expression has no times, or there is no such zone.
    """

    def __init__(self, cron: str, timezone: str) -> None:
        self.cron, self.timezone = cron, timezone
        self._zone = _zone(timezone)
        self._fields = _translated(cron)
        try:
            self._sim(datetime.now(self._zone))
        except CronSimError as error:
            raise UsageError(
                f"{cron!r} is not a cron expression: {str(error).lower()}", hint=_HINT
            ) from error
        if next(self.after(datetime.now(self._zone).timestamp()), None) is None:
            raise UsageError(f"{cron!r} never comes", hint="name a date that exists")

    def after(self, moment: float) -> Iterator[float]:
        """Yield the times after a moment, in order, each once; all in seconds since the epoch."""
        start = datetime.fromtimestamp(moment, self._zone)
        last = moment
        # In the second pass of a repeated hour, wall clocks alone can't tell what has been.
        begin = start - _LONGEST_REPEAT if start.fold else start
        for time in self._sim(begin):
            at = time.timestamp()
            if at > last:
                yield at
                last = at

    def next(self, moment: float) -> float | None:
        """Return the first time after a moment; None if there is none for decades."""
        return next(self.after(moment), None)

    def newest(self, after: float, until: float, *, most: int) -> tuple[list[float], bool]:
        """Return the last times in (after, until], at most so many, and whether there are more.

        It looks back in ever longer spans, so that years of minutes cost no more than hours.
        """
        span = 3600.0
        while True:
            begin = max(after, until - span)
            times = []
            for time in self.after(begin):
                if time > until:
                    break
                times.append(time)
            if len(times) > most or begin <= after:
                return times[-most:], len(times) > most
            span *= 2

    def explain(self) -> str:
        """Return the times in English, with the zone."""
        said: str = self._sim(datetime.now(self._zone)).explain()
        return f"{said} ({self.timezone})"

    def _sim(self, start: datetime) -> CronSim:
        return CronSim(self._fields, start)


def window_end(until: str, timezone: str, moment: float) -> float:
    """Return when a window closes that is open at a moment: the next HH:MM in that zone."""
    hour, minute = until.split(":")
    found = Timetable(f"{int(minute)} {int(hour)} * * *", timezone).next(moment)
    assert found is not None
    return found


def _translated(cron: str) -> str:
    word = cron.strip().lower()
    if word.startswith("@"):
        if word not in _WORDS:
            raise UsageError(
                f"{cron!r} is not a cron expression",
                hint=did_you_mean(word, _WORDS) or f"of words there are {', '.join(_WORDS)}",
            )
        return _WORDS[word]
    if len(cron.split()) != _FIELDS:
        raise UsageError(f"{cron!r} has {len(cron.split())} fields, not five", hint=_HINT)
    return cron


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = did_you_mean(name, available_timezones())
        raise UsageError(
            f"there is no time zone {name!r}",
            hint=near or "write its IANA name, like Europe/Berlin or UTC",
        ) from error
