"""The age of a moment, for people."""

from datetime import datetime, timezone

_UNITS = ((86400 * 2, 86400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"))


def age(moment: datetime) -> str:
    """Return the age of a moment, such as ``3 days ago``.

    :param moment: with a time zone, as boto3 returns it.
    """
    seconds = (datetime.now(timezone.utc) - moment).total_seconds()
    for least, unit, name in _UNITS:
        if seconds >= least:
            return f"{int(seconds // unit)} {name} ago"
    return "just now"
