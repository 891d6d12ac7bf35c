"""Which days were public holidays?

In: a country's code, or dates of one's own. Out: dates. Countries are those of the package `holidays`, which is
installed on its own (`pip install powderkeg[holidays]`); it knows each country's laws by year.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from powderkeg.errors import Fault, UsageError, nearest_name


def holidays_of(country: str, first: date, last: date) -> dict[date, str]:
    """Public holidays of a country from one day to another, with their names.

    country  code of two letters, such as XK

    Raises UsageError for a country that the package does not know, for years without any holiday in it, and where the
    package is missing.
    """
    try:
        import holidays
    except ImportError:
        raise UsageError(
            Fault.at(
                "reporting",
                f"holidays of {country}, and no package that knows them",
                "pip install 'powderkeg[holidays]', or a table of your own days",
            )
        ) from None
    known = sorted(holidays.list_supported_countries())
    code = country.strip().upper()
    if code not in known:
        raise UsageError(
            Fault.at(
                "reporting", f"holidays of an unknown country {country!r}",
                "a country code of two letters that the package `holidays` knows, such as XK or RS; or a table of "
                "your own days", nearest_name(code, known),
            )
        )  # fmt: skip
    calendar = holidays.country_holidays(code, years=range(first.year, last.year + 1), language="en_US")
    found = {day: str(name) for day, name in calendar.items() if first <= day <= last}
    if not found:
        raise UsageError(
            Fault.at(
                "reporting",
                f"no holiday of {code} from {first} to {last}: the package `holidays` does not know these years",
                "another country whose news the source carries, a table of your own days, or no holidays",
            )
        )  # fmt: skip
    return dict(sorted(found.items()))


def dates_of(values: Iterable[object], path: str = "reporting") -> tuple[date, ...]:
    """Dates, or text such as 2018-07-01, in order."""
    found = []
    for value in values:
        try:
            found.append(value if isinstance(value, date) else date.fromisoformat(str(value).strip()))
        except ValueError:
            raise UsageError(Fault.at(path, repr(value), "a date such as 2018-07-01")) from None
    return tuple(sorted(set(found)))
