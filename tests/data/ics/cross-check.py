"""Prints what a foreign reader makes of the calendars here, one event a line: the expected files were compared with it.

    python3 -m venv .venv && .venv/bin/pip install recurring-ical-events && .venv/bin/python cross-check.py *.ics
"""

import datetime
import json
import pathlib
import sys

import icalendar
import recurring_ical_events

FROM, TO = datetime.date(2026, 1, 1), datetime.date(2027, 1, 1)


def text(moment):
    if not isinstance(moment, datetime.datetime):
        return moment.isoformat()
    written = moment.isoformat()
    return written.replace("+00:00", "Z") if moment.tzname() == "UTC" else written


for name in sys.argv[1:]:
    calendar = icalendar.Calendar.from_ical(pathlib.Path(name).read_text(encoding="utf-8-sig"))
    query = recurring_ical_events.of(calendar, skip_bad_series=True)
    found = []
    for event in query.between(FROM, TO):
        start, end = event["DTSTART"].dt, event.end
        if str(event.get("STATUS")) == "CANCELLED":
            continue
        found.append({"summary": str(event.get("SUMMARY", "")), "start": text(start), "end": text(end)})
    for event in sorted(found, key=lambda event: (event["start"], event["end"])):
        print(pathlib.Path(name).name, json.dumps(event, ensure_ascii=False))
