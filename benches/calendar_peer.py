"""python-dateutil for benches/calendar.rs: for each line of input one measurement, answered in seconds.

`expand`: the next dates with the rule in hand; `parse`: from the rule's text. Dates are made instants, as turnus does it.
"""

import sys
import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

RULE, CUSTOMERS, DATES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ZONE = ZoneInfo("Europe/Berlin")
STARTS = datetime(2026, 3, 27, 14)
FROM = datetime(2026, 11, 24, 13)

known = rrulestr(RULE, dtstart=STARTS)
for line in sys.stdin:
    parses = line.strip() == "parse"
    begin = time.perf_counter()
    for _ in range(CUSTOMERS):
        rule = rrulestr(RULE, dtstart=STARTS) if parses else known
        found = [date.replace(tzinfo=ZONE).astimezone(timezone.utc) for date in rule.xafter(FROM, count=DATES)]
        assert len(found) == DATES
    print(time.perf_counter() - begin, flush=True)
