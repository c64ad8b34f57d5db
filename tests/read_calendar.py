#!/usr/bin/env python3
"""Reads a calendar as other programs do (Python's icalendar and recurring_ical_events), and prints what it found as JSON.

Every calendar is read twice: with the zones of the reader's own tz database, and with those that the file describes (VTIMEZONE),
which is what programs without zone data go by. Usage: read_calendar.py < FILE
"""

import datetime
import json
import sys

import icalendar
import recurring_ical_events

UTC = datetime.timezone.utc
# The reader takes a zone that its database knows from there, whatever the file says of it: it must not know the name.
UNKNOWN = "Described/"


def instant(component, key):
    return component.decoded(key).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def texts(component, key):
    values = component.get(key, [])
    return [str(value) for value in (values if isinstance(values, list) else [values])]


def event(component):
    properties = {key: texts(component, key) for key in component if key not in ("DTSTART", "DTEND", "DTSTAMP")}
    alarms = [alarm for alarm in component.subcomponents if alarm.name == "VALARM"]
    return {
        "start": instant(component, "DTSTART"),
        "end": instant(component, "DTEND"),
        "stamp": instant(component, "DTSTAMP"),
        "properties": properties,
        "attendees": [dict(value.params) for value in component.get("ATTENDEE", []) if hasattr(value, "params")]
        if isinstance(component.get("ATTENDEE"), list)
        else [dict(component["ATTENDEE"].params)] if "ATTENDEE" in component else [],
        "organizer": dict(component["ORGANIZER"].params) if "ORGANIZER" in component else {},
        "alarms": [[str(alarm["ACTION"]), alarm.decoded("TRIGGER").total_seconds()] for alarm in alarms],
        "errors": [str(error) for error in component.errors],
    }


def read(text):
    calendar = icalendar.Calendar.from_ical(text)
    events = [event(component) for component in calendar.walk("VEVENT")]
    found = recurring_ical_events.of(calendar).between((2000, 1, 1), (2100, 1, 1))
    return {
        "method": str(calendar.get("METHOD", "")),
        "zones": [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")],
        "events": events,
        "found": sorted(instant(component, "DTSTART") for component in found),
    }


text = sys.stdin.buffer.read().decode("utf-8")
described = text.replace("TZID=", "TZID=" + UNKNOWN).replace("TZID:", "TZID:" + UNKNOWN)
json.dump({"known": read(text), "described": read(described)}, sys.stdout)
