//! Every rule of an inventory, each with the mistake that it refuses and the place that it names.

use std::collections::BTreeMap;

use jiff::civil::{date, datetime};

use super::{draft, parse};
use crate::domain::calendar::recurrence::{Excluded, Recurrence};
use crate::domain::calendar::rule::Rule;
use crate::domain::calendar::shift::Shift;
use crate::domain::calendar::{CalendarFreeze, Freeze, HolidayRule};
use crate::domain::document::tests::told;
use crate::domain::id::{ContentHash, Name};
use crate::domain::inventory::{
    CalendarEntry, Connection, Contact, Customer, Host, Locale, PeriodLength, Receives, Transport, Window,
};

/// A right inventory; the tests change one line of it, which is why the numbers matter.
const LINES: [&str; 27] = [
    "[customer]",
    "name = \"Nordwind\"",
    "time_zone = \"Europe/Berlin\"",
    "[[contact]]",
    "name = \"IT\"",
    "email = \"it@nordwind.example\"",
    "receives = [\"report\"]",
    "[[window]]",
    "name = \"quarterly\"",
    "rule = \"FREQ=MONTHLY;BYDAY=-1FR\"",
    "starts = 2026-03-27T14:00:00",
    "duration = \"4h\"",
    "cutoff = \"45m\"",
    "job = \"debian\"",
    "hosts = [\"@servers\"]",
    "[[freeze]]",
    "from = 2026-12-18",
    "to = 2027-01-06",
    "reason = \"year end\"",
    "[[host]]",
    "name = \"web1\"",
    "address = \"192.0.2.1\"",
    "groups = [\"servers\"]",
    "[[host]]",
    "name = \"web2\"",
    "address = \"192.0.2.2\"",
    "groups = [\"servers\"]",
];

fn name(text: &str) -> Name {
    text.parse().expect("the tests use valid names")
}

/// The problems that the inventory has when `text` stands in place of `line`.
fn problems_with(line: usize, text: &str) -> String {
    let mut lines = LINES;
    lines[line - 1] = text;
    problems_in(&lines.join("\n"))
}

fn problems_in(text: &str) -> String {
    let (draft, problems) = draft(text, "nordwind.toml");
    assert_eq!(draft.customer.is_none(), !problems.0.is_empty(), "either a customer or problems");
    told(&problems)
}

#[track_caller]
fn check(line: usize, text: &str, expected: &str) {
    assert_eq!(problems_with(line, text), expected, "line {line}: {text}");
}

fn parsed(text: &str) -> Customer {
    parse(text, "inventories/nordwind.toml").expect("a right inventory")
}

#[test]
fn everything_that_an_inventory_says_is_kept() {
    let text = r#"
        [customer]
        name = "Nordwind Logistik GmbH"
        locale = "de"
        time_zone = "europe/berlin"
        holidays = "DE-BY"
        period_report = "quarter"
        [vars]
        backup_dir = "/var/backups"
        data_dir = "/srv"
        [[contact]]
        name = "IT-Leitung"
        email = "it@nordwind.example"
        receives = ["announcement", "report"]
        calendar = "request"
        [[window]]
        name = "quarterly"
        rule = "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR"
        starts = 2026-03-27T14:00:00
        duration = "4h"
        cutoff = "45m"
        holiday = "previous-workday"
        job = "debian-quarterly"
        hosts = ["mail01", "@servers"]
        announce = ["14d", "2d"]
        review = "3d"
        [[freeze]]
        from = 2026-12-18
        to = 2026-12-18
        reason = "Jahresabschluss"
        [[host]]
        name = "web01"
        address = "web01.nordwind.example"
        groups = ["servers"]
        [[host]]
        name = "mail01"
        address = "192.0.2.10"
        port = 2222
        user = "turnus"
        identity_file = "~/.ssh/key"
        known_hosts = "/etc/turnus/known_hosts"
        transport = "builtin"
        state_dir = "/opt/turnus"
        become = true
        groups = ["servers", "mail"]
        vars = { data_dir = "/var/vmail", size = 5, tls = true }
    "#;
    let vars = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let web01 = Host {
        name: name("web01"),
        connection: Connection::to("web01.nordwind.example".to_owned()),
        groups: vec![name("servers")],
        vars: vars(&[("backup_dir", "/var/backups"), ("data_dir", "/srv")]),
        probes: Vec::new(),
        capacity: Vec::new(),
    };
    let mail01 = Host {
        name: name("mail01"),
        connection: Connection {
            port: Some(2222),
            user: Some("turnus".to_owned()),
            identity_file: Some("~/.ssh/key".to_owned()),
            known_hosts: Some("/etc/turnus/known_hosts".to_owned()),
            transport: Some(Transport::Builtin),
            state_dir: Some("/opt/turnus".to_owned()),
            elevate: true,
            ..Connection::to("192.0.2.10".to_owned())
        },
        groups: vec![name("servers"), name("mail")],
        vars: vars(&[("backup_dir", "/var/backups"), ("data_dir", "/var/vmail"), ("size", "5"), ("tls", "true")]),
        probes: Vec::new(),
        capacity: Vec::new(),
    };
    let quarterly = Window {
        name: name("quarterly"),
        recurrence: Recurrence {
            rule: Some(Rule::parse("FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR").expect("a right rule")),
            ..Recurrence::once(datetime(2026, 3, 27, 14, 0, 0, 0))
        },
        duration_s: 4 * 3600,
        cutoff_s: 45 * 60,
        holiday: HolidayRule::PreviousWorkday,
        job: name("debian-quarterly"),
        hosts: vec![name("mail01"), name("web01")],
        announce_s: vec![14 * 86_400, 2 * 86_400],
        review_s: Some(3 * 86_400),
    };
    let expected = Customer {
        name: name("nordwind"),
        display_name: "Nordwind Logistik GmbH".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        holidays: Some("DE-BY".parse().expect("a region")),
        period_report: Some(PeriodLength::Quarter),
        contacts: vec![Contact {
            name: "IT-Leitung".to_owned(),
            email: "it@nordwind.example".to_owned(),
            receives: vec![Receives::Announcement, Receives::Report],
            calendar: CalendarEntry::Request,
        }],
        windows: vec![quarterly],
        freezes: vec![Freeze {
            from: date(2026, 12, 18),
            to: date(2026, 12, 18),
            reason: "Jahresabschluss".to_owned(),
        }],
        calendars: vec![],
        hosts: vec![web01, mail01],
        revision: ContentHash::of(text.as_bytes()),
    };
    assert_eq!(parsed(text), expected);
}

#[test]
fn what_may_be_left_out_has_defaults() {
    let customer = parsed(
        "customer = { name = 'N', time_zone = 'UTC' }\nhost = [{ name = 'h', address = 'h' }]\n\
         window = [{ name = 'w', rule = 'FREQ=DAILY', starts = 2026-01-01T00:00:00, duration = '1h', job = 'j', hosts = ['h'] }]",
    );
    assert_eq!((customer.locale, customer.holidays), (Locale::En, None));
    assert_eq!((customer.contacts, customer.freezes), (vec![], vec![]));
    let window = &customer.windows[0];
    assert_eq!((window.cutoff_s, window.holiday, &window.announce_s), (0, HolidayRule::Keep, &vec![]));
    assert_eq!(window.review_s, None);
    assert_eq!(customer.hosts[0].connection, Connection::to("h".to_owned()));
}

#[test]
fn the_base_of_these_tests_is_right() {
    check(1, LINES[0], "");
}

#[test]
fn unknown_keys_are_refused_in_every_table() {
    let unknown = |line: usize, table: &str, known: &str| {
        let text = format!("{}\nzzz = 1", LINES[line - 1]);
        check(line, &text, &format!("{}:1 unknown key `zzz` in `{table}` (expected: {known})", line + 1));
    };
    unknown(3, "customer", "`name`, `locale`, `time_zone`, `holidays`, `period_report`");
    unknown(7, "contact", "`name`, `email`, `receives`, `calendar`");
    unknown(
        15,
        "window",
        "`name`, `rule`, `starts`, `exdate`, `rdate`, `shift`, `duration`, `cutoff`, `holiday`, `job`, `hosts`, `announce`, `review`",
    );
    unknown(19, "freeze", "`from`, `to`, `reason`, `calendar`");
    unknown(
        27,
        "host",
        "`name`, `address`, `port`, `user`, `identity_file`, `known_hosts`, `become`, `state_dir`, `transport`, `proxy_jump`, `groups`, `vars`, `probe`, `capacity`",
    );
    check(
        1,
        "zzz = 1\n[customer]",
        "1:1 unknown key `zzz` in the file (expected: `customer`, `contact`, `freeze`, `vars`, `capacity`, `host`, `window`)",
    );
    check(
        22,
        "adress = \"192.0.2.1\"",
        "20:1 `address` is missing in `host`\n22:1 unknown key `adress` in `host` (hint: did you mean `address`?)",
    );
}

#[test]
fn the_file_s_name_is_the_customer_s() {
    let problems = |file| told(&draft(&LINES.join("\n"), file).1);
    assert_eq!(problems("inventories/nordwind.toml"), "");
    assert_eq!(
        problems("inventories/Nord Wind.toml"),
        "1:1 `inventories/Nord Wind.toml` is no name for a file (expected: 1 to 63 of a-z, 0-9 and `-`, beginning with a \
         letter or digit, and `.toml`) (hint: rename the file: its name is what people type)"
    );
}

#[test]
fn the_customer() {
    check(2, "", "1:1 `name` is missing in `customer`");
    check(2, "name = \"\"", "2:8 `name` is `` (expected: one line of 1 to 500 characters, not blank)");
    check(2, "name = \"a\\u0007\"", "2:8 `name` is `a\\u{7}` (expected: one line of 1 to 500 characters, not blank)");
    check(2, "name = \"N\"\nlocale = \"ger\"", "3:10 `locale` is `ger` (expected: `de`, `en`, `hu`, `ru`)");
    check(
        2,
        "name = \"N\"\nlocale = \"hn\"",
        "3:10 `locale` is `hn` (expected: `de`, `en`, `hu`, `ru`) (hint: did you mean `en`?)",
    );
    check(3, "", "1:1 `time_zone` is missing in `customer`");
    let zone = "(expected: an IANA time zone such as `Europe/Berlin`)";
    check(
        3,
        "time_zone = \"Europe/Berln\"",
        &format!("3:13 `time_zone` is `Europe/Berln` {zone} (hint: did you mean `Europe/Berlin`?)"),
    );
    check(
        3,
        "time_zone = \"../../../etc/passwd-of-somebody-else-entirely\"",
        &format!("3:13 `time_zone` is `../../../etc/passwd-of-somebody-else-entirely` {zone}"),
    );
    check(3, "time_zone = \"Europe/Vienna\"\nholidays = \"AT-7\"", "");
    let region = |bad: &str, hint: &str| {
        let text = format!("time_zone = \"Europe/Vienna\"\nholidays = \"{bad}\"");
        let expected = format!("4:12 there are no holidays of the region `{bad}` (expected: a region such as `DE-BY`)");
        let told = problems_with(3, &text);
        assert!(told.starts_with(&expected) && told.contains(hint), "{told}");
    };
    region("de-by", "did you mean `DE-BY`?");
    region("DE-XX", "DE-BY");
    region("Bayren", "did you mean `DE-BY`?");
    check(1, "[[customer]]", "1:1 `customer` is an array (expected: one table, as `[customer]`)");
}

#[test]
fn contacts() {
    check(5, "", "4:1 `name` is missing in `contact`");
    check(6, "", "4:1 `email` is missing in `contact`");
    check(6, "email = \"it\"", "6:9 `email` is `it` (expected: a mail address such as `it@nordwind.example`)");
    check(7, "", "4:1 `receives` is missing in `contact`");
    check(7, "receives = []", "7:12 `receives` is empty (expected: at least one entry)");
    check(
        7,
        "receives = [\"reports\", \"news\"]",
        "7:13 an entry of `receives` is `reports` (expected: `announcement`, `report`, `start`) (hint: did you mean `report`?)\n7:24 an entry of `receives` is `news` (expected: `announcement`, `report`, `start`)",
    );
    check(7, "receives = [\"report\", \"report\"]", "7:23 `report` is there twice (hint: the first is in line 7)");
    let second =
        "receives = [\"report\"]\n[[contact]]\nname = \"X\"\nemail = \"IT@nordwind.example\"\nreceives = [\"report\"]";
    check(7, second, "10:9 `it@nordwind.example` is there twice (hint: the first is in line 6)");
}

#[test]
fn windows() {
    check(
        9,
        "name = \"Q 1\"",
        "9:8 `name` is `Q 1` (expected: 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit)",
    );
    for (line, key) in [(9, "name"), (11, "starts"), (12, "duration"), (14, "job"), (15, "hosts")] {
        check(line, "", &format!("8:1 `{key}` is missing in `window`"));
    }
    check(
        12,
        "duration = \"4\"",
        "12:12 `duration` is `4` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")",
    );
    check(
        12,
        "duration = \"-4h\"",
        "12:12 `duration` is `-4h` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")",
    );
    check(
        13,
        "cutoff = \"0s\"",
        "13:10 `cutoff` is `0s` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")",
    );
    check(
        13,
        "cutoff = \"4h\"",
        "13:10 `cutoff` is `4h` (expected: a duration shorter than `duration`, or nothing could ever start)",
    );
    check(
        13,
        "holiday = \"previous-workdays\"",
        "13:11 `holiday` is `previous-workdays` (expected: `keep`, `skip`, `next-workday`, `previous-workday`, `next-week`) (hint: did you mean `previous-workday`?)",
    );
    check(
        13,
        "announce = [\"0s\"]",
        "13:13 an entry of `announce` is `0s` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")",
    );
    check(
        13,
        "review = \"367d\"",
        "13:10 `review` is `367d` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")",
    );
    check(
        14,
        "job = \"jobs/debian.toml\"",
        "14:7 `job` is `jobs/debian.toml` (expected: 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit)",
    );
    let again = "hosts = [\"web1\"]\n[[window]]\nname = \"quarterly\"\nrule = \"FREQ=DAILY\"\nstarts = 2026-03-27T14:00:00\nduration = \"4h\"\njob = \"debian\"\nhosts = [\"web1\"]";
    check(15, again, "17:8 `quarterly` is there twice (hint: the first is in line 9)");
}

#[test]
fn hosts_of_windows() {
    check(15, "hosts = []", "15:9 `hosts` is empty (expected: at least one entry)");
    check(15, "hosts = \"web1\"", "15:9 `hosts` is the string `web1` (expected: an array)");
    check(15, "hosts = [\"@server\"]", "15:10 no host is in the group `server` (hint: did you mean `@servers`?)");
    check(15, "hosts = [\"@printers\"]", "15:10 no host is in the group `printers` (expected: `@servers`)");
    check(15, "hosts = [\"web3\"]", "15:10 there is no host `web3` in the file (hint: did you mean `web1`?)");
    check(15, "hosts = [\"database\"]", "15:10 there is no host `database` in the file (expected: `web1`, `web2`)");
    check(
        15,
        "hosts = [\"servers\"]",
        "15:10 there is no host `servers` in the file (hint: did you mean the group `@servers`?)",
    );
    check(15, "hosts = [\"web1\", \"web1\"]", "15:18 `web1` is there twice (hint: the first is in line 15)");
    check(15, "hosts = [\"web1\", 5]", "15:18 an entry of `hosts` is the number `5` (expected: a string)");
    let mut lines = LINES;
    lines[14] = "hosts = [\"web2\", \"@servers\"]";
    assert_eq!(parsed(&lines.join("\n")).windows[0].hosts, [name("web2"), name("web1")]);
}

#[test]
fn hosts_that_are_wrong_otherwise_still_count_for_windows() {
    check(
        22,
        "address = \"-x\"",
        "22:11 `address` is `-x` (expected: a host name or IP address of letters, digits, `.`, `-` and `_`, beginning with a letter or digit)",
    );
}

#[test]
fn rules_are_told_at_their_place() {
    check(10, "rule = \"FREQ=WEEKLY;UNTIL=20301231T000000Z\"", "");
    check(10, "rule = '''FREQ=DAILY;COUNT=0'''", "10:28 `COUNT` is `0` (expected: a whole number from 1 to 10000)");
    check(
        10,
        "rule = \"FREQ=DAILY;INTERVALL=2\"",
        "10:20 the rule has the unknown part `INTERVALL` (hint: did you mean `INTERVAL`?)",
    );
    check(10, "rule = \"RRULE:FREQ=DAILY\"", "10:9 the rule is `RRULE:FREQ=DAILY` (hint: leave `RRULE:` out)");
    // What is not written as it is has no place of its own within.
    let escaped = problems_with(10, "rule = \"\\u0046REQ=DAILY;COUNT=0\"");
    assert!(escaped.starts_with("10:8 `COUNT` is `0`"), "{escaped}");
    let sparse = "the rule gives no date within 30 years after `starts` (expected: a rule that gives a date in 30 years at least)";
    check(10, "rule = \"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30\"", &format!("10:32 {sparse}"));
    check(
        10,
        "rule = \"FREQ=MONTHLY;UNTIL=20260101\"",
        "10:22 the rule ends before its first date (expected: an `UNTIL` behind `starts`, and a date between them)",
    );
}

#[test]
fn an_end_in_utc_is_an_instant_of_the_customers_zone() {
    // 14:00 in Berlin is 13:00 in UTC.
    check(10, "rule = \"FREQ=DAILY;UNTIL=20260327T130000Z\"", "");
    let early = problems_with(10, "rule = \"FREQ=DAILY;UNTIL=20260327T125959Z\"");
    assert!(early.starts_with("10:20 the rule ends before its first date"), "{early}");
    let mut lines = LINES;
    lines[2] = "time_zone = \"America/New_York\"";
    lines[9] = "rule = \"FREQ=DAILY;UNTIL=20260327T170000Z\"";
    assert!(problems_in(&lines.join("\n")).starts_with("10:20 the rule ends before its first date"));
    // Without a zone nobody knows; that there is none is told, and nothing else.
    lines[2] = "time_zone = \"Europe/Berlon\"";
    let unknown = problems_in(&lines.join("\n"));
    assert_eq!(unknown.lines().count(), 1, "{unknown}");
}

#[test]
fn rules_in_longer_strings_are_told_at_their_place() {
    let place = |text: &str| problems_with(10, text).split(' ').next().unwrap_or_default().to_owned();
    assert_eq!(place("rule = \"\"\"FREQ=DAILY;COUNT=0\"\"\""), "10:28");
    assert_eq!(place("rule = 'FREQ=DAILY;COUNT=0'"), "10:26");
    assert_eq!(place("rule = \"\"\"\nFREQ=DAILY;COUNT=0\"\"\""), "11:18");
    assert_eq!(place("rule = \'\'\'\r\nFREQ=DAILY;COUNT=0\'\'\'"), "11:18");
    assert_eq!(place("rule = \"\"\"FREQ=DAILY;\\\n  COUNT=0\"\"\""), "10:8");
}

#[test]
fn rules_of_any_kind_have_one_limit() {
    let rule = |months: usize| format!("rule = \"FREQ=YEARLY;BYMONTH=1{}\"", ",1".repeat(months));
    check(10, &rule(900), "");
    check(10, &rule(1000), "10:9 the rule has 2021 bytes (expected: at most 2000 bytes)");
    check(10, "rule = \"\"", "10:9 the rule has the part `` (expected: parts as NAME=VALUE, with `;` between them)");
}

#[test]
fn zones_that_are_no_place_are_refused() {
    for zone in ["Etc/Unknown", "Factory", "posixrules", "localtime"] {
        let told = problems_with(3, &format!("time_zone = \"{zone}\""));
        assert!(told.starts_with(&format!("3:13 `time_zone` is `{zone}`")), "{told}");
    }
}

#[test]
fn dates_beside_the_rule() {
    let window = |line: &str| {
        let mut lines = LINES;
        lines[9] = line;
        parsed(&lines.join("\n")).windows.remove(0).recurrence
    };
    let once = window("");
    assert_eq!(once, Recurrence::once(datetime(2026, 3, 27, 14, 0, 0, 0)));
    let full = window(
        "rule = \"FREQ=MONTHLY\"\nexdate = [2026-12-25, 2026-06-27T14:00:00]\nrdate = [2026-07-01T10:00:00]\nshift = \"+2 workdays\"",
    );
    let at = |month, day, hour| datetime(2026, month, day, hour, 0, 0, 0);
    assert_eq!(full.exdates, [Excluded::Day(date(2026, 12, 25)), Excluded::At(at(6, 27, 14))]);
    assert_eq!((full.rdates, full.shift), (vec![at(7, 1, 10)], Some(Shift::Workdays(2))));
    let excluded =
        "(expected: a date or a local date and time without quotes, such as 2026-12-25 or 2026-12-25T14:00:00)";
    check(
        10,
        "exdate = [\"2026-12-25\"]",
        &format!("10:11 an entry of `exdate` is the string `2026-12-25` {excluded}"),
    );
    check(10, "exdate = [14:00:00]", &format!("10:11 an entry of `exdate` is the time `14:00:00` {excluded}"));
    check(
        10,
        "exdate = [2026-12-25T14:00:00Z]",
        &format!("10:11 an entry of `exdate` is the time `2026-12-25T14:00:00Z` {excluded}"),
    );
    check(
        10,
        "rdate = [2026-12-25]",
        "10:10 an entry of `rdate` is the time `2026-12-25` (expected: a local date and time without quotes, such as 2026-03-27T14:00:00)",
    );
    check(
        10,
        "shift = \"2 days\"",
        "10:9 `shift` is `2 days` (expected: days or working days after or before the rule's date, such as \"+3d\" or \"+2 workdays\", at most 60)",
    );
}

#[test]
fn freezes() {
    check(17, "", "16:1 `from` is missing in `freeze`");
    check(18, "", "16:1 `to` is missing in `freeze`");
    check(19, "", "16:1 `reason` is missing in `freeze`");
    check(18, "to = 2026-12-17", "18:6 `to` is the time `2026-12-17` (expected: a day not before `from`, 2026-12-18)");
    check(
        18,
        "to = \"2026-12-20\"",
        "18:6 `to` is the string `2026-12-20` (expected: a date without quotes, such as 2026-03-27)",
    );
    let both = "calendar = \"season\"\nfrom = 2026-12-18";
    let hint = "(hint: the calendar says when: leave one of them out)";
    check(17, both, &format!("18:1 `from` beside `calendar` {hint}\n19:1 `to` beside `calendar` {hint}"));
    check(
        17,
        "calender = \"season\"",
        "16:1 `from` is missing in `freeze`\n17:1 unknown key `calender` in `freeze` (hint: did you mean `calendar`?)",
    );
}

#[test]
fn calendars_of_freezes_are_named() {
    let freezes = "[[freeze]]\ncalendar = \"season\"\n[[freeze]]\ncalendar = \"fairs\"\nreason = \"Messe\"";
    let text = format!("{}\n{freezes}", LINES.join("\n"));
    let (draft, problems) = draft(&text, "nordwind.toml");
    assert_eq!(told(&problems), "");
    let calendar = |text, reason: Option<&str>| CalendarFreeze { name: name(text), reason: reason.map(str::to_owned) };
    let customer = draft.customer.expect("a right inventory");
    assert_eq!(customer.calendars, [calendar("season", None), calendar("fairs", Some("Messe"))]);
    assert_eq!(customer.freezes.len(), 1);
    assert!(draft.calendars.iter().all(|named| text[named.offset..].starts_with(&format!("\"{}\"", named.value))));
}

#[test]
fn hosts() {
    check(21, "", "20:1 `name` is missing in `host`");
    check(22, "", "20:1 `address` is missing in `host`");
    check(25, "name = \"web1\"", "25:8 `web1` is there twice (hint: the first is in line 21)");
    check(
        25,
        "name = \"controller\"",
        "25:8 `name` is `controller` (hint: `controller` is the machine that runs turnus (`on = \"controller\"`))",
    );
    check(26, "address = \"a\"\nport = 0", "27:8 `port` is the number `0` (expected: a whole number from 1 to 65535)");
    check(
        26,
        "address = \"a\"\nport = \"22\"",
        "27:8 `port` is the string `22` (expected: a whole number from 1 to 65535)",
    );
    check(
        26,
        "address = \"a\"\nuser = \"-oX\"",
        "27:8 `user` is `-oX` (expected: 1 to 64 letters, digits, `.`, `-`, `_` and `+`, beginning with a letter, digit or `_`)",
    );
    check(
        26,
        "address = \"a\"\nidentity_file = \"key\"",
        "27:17 `identity_file` is `key` (expected: an absolute path or one that begins with `~/`, without quotes and control characters)",
    );
    check(
        26,
        "address = \"a\"\nknown_hosts = \"\"",
        "27:15 `known_hosts` is `` (expected: an absolute path or one that begins with `~/`, without quotes and control characters)",
    );
    check(
        26,
        "address = \"a\"\nstate_dir = \"/x y\"",
        "27:13 `state_dir` is `/x y` (expected: an absolute path of letters, digits, `/`, `.`, `-` and `_`, without `..`)",
    );
    check(26, "address = \"a\"\nbecome = \"yes\"", "27:10 `become` is the string `yes` (expected: `true` or `false`)");
    check(27, "groups = [\"servers\", \"servers\"]", "27:22 `servers` is there twice (hint: the first is in line 27)");
    check(
        27,
        "groups = [\"Servers\"]",
        "27:11 an entry of `groups` is `Servers` (expected: 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit)",
    );
    let none = "[customer]\nname = \"N\"\ntime_zone = \"UTC\"";
    assert_eq!(problems_in(none), "1:1 there is no `host` in the file (expected: at least one `[[host]]`)");
    assert_eq!(
        problems_in(&format!("host = []\n{none}")),
        "1:1 there is no `host` in the file (expected: at least one `[[host]]`)"
    );
}

#[test]
fn variables() {
    let key = "(expected: 1 to 63 of a-z, 0-9 and `_`, beginning with a letter)";
    for (bad, column) in [("Data_Dir", 10), ("data-dir", 10), ("1a", 10), ("_a", 10), ("\"\"", 10), ("\"a b\"", 10)] {
        let text = format!("vars = {{ {bad} = 1 }}");
        let shown = bad.trim_matches('"');
        check(27, &text, &format!("27:{column} the key `{shown}` can't become an environment variable {key}"));
    }
    check(27, "vars = { a = \"x\\u0000y\" }", "27:14 `a` has a NUL character");
    check(
        27,
        "vars = { a = 1.5 }",
        "27:14 `a` is the number `1.5` (expected: a string, a whole number, `true` or `false`)",
    );
    check(27, "vars = { a = [] }", "27:14 `a` is an array (expected: a string, a whole number, `true` or `false`)");
    check(27, "vars = \"a=1\"", "27:8 `vars` is the string `a=1` (expected: one table, as `[vars]`)");
    let long = format!("vars = {{ a = \"{}\" }}", "x".repeat(16 * 1024));
    check(27, &long, "27:8 the variables have 16385 bytes in all (expected: at most 16384 bytes)");
    check(1, "vars = { A = 1 }\n[customer]", &format!("1:10 the key `A` can't become an environment variable {key}"));
}

/// The way to `web2`, as `user@address:port` words.
fn way_to_web2(web1: &str, web2: &str) -> Vec<String> {
    let mut lines = LINES;
    let (first, second) = (format!("address = \"192.0.2.1\"\n{web1}"), format!("address = \"192.0.2.2\"\n{web2}"));
    (lines[21], lines[25]) = (&first, &second);
    let shown = |hop: &Connection| {
        assert_eq!(hop.proxy_jump, [], "a hop has no way of its own");
        let user = hop.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{user}{}{}", hop.address, hop.port.map(|port| format!(":{port}")).unwrap_or_default())
    };
    parsed(&lines.join("\n")).hosts[1].connection.proxy_jump.iter().map(shown).collect()
}

#[test]
fn ways() {
    assert_eq!(way_to_web2("", "proxy_jump = \"gate.example:22\""), ["gate.example:22"]);
    assert_eq!(way_to_web2("port = 2222", "proxy_jump = \"web1\""), ["192.0.2.1:2222"]);
    assert_eq!(way_to_web2("", "proxy_jump = [\"me@gate\", \"web1\"]"), ["me@gate", "192.0.2.1"]);
    // web1 is the nearest hop, so its own way comes first; behind another hop it is reached over that.
    assert_eq!(way_to_web2("proxy_jump = \"gate\"", "proxy_jump = \"web1\""), ["gate", "192.0.2.1"]);
    assert_eq!(way_to_web2("proxy_jump = \"gate\"", "proxy_jump = [\"x\", \"web1\"]"), ["x", "192.0.2.1"]);
}

#[test]
fn impossible_ways() {
    let jump = |hop: &str| format!("address = \"a\"\nproxy_jump = {hop}");
    let rule = "(expected: the name of a host of this file, or `[user@]host[:port]`)";
    check(22, &jump("\"-oProxyCommand=id\""), &format!("23:14 `proxy_jump` is `-oProxyCommand=id` {rule}"));
    check(22, &jump("[\"ok\", \"a b\"]"), &format!("23:21 an entry of `proxy_jump` is `a b` {rule}"));
    check(22, &jump("[]"), "23:14 `proxy_jump` is empty (expected: at least one entry)");
    check(22, &jump("\"web1\""), "23:14 the way to `web1` leads over `web1` itself");
    let nine = (1..=9).map(|number| format!("\"h{number}\"")).collect::<Vec<_>>().join(", ");
    check(22, &jump(&format!("[{nine}]")), "23:15 the way to `web1` has more than 8 hops or goes in circles");
    // web1 over web2 over web1: told for both.
    let mut lines = LINES;
    let (first, second) = (jump("\"web2\""), jump("\"web1\""));
    (lines[21], lines[25]) = (&first, &second);
    let expected = "23:14 the way to `web2` leads over `web2` itself\n28:14 the way to `web1` leads over `web1` itself";
    assert_eq!(problems_in(&lines.join("\n")), expected);
}

#[test]
fn limits_keep_a_small_file_small() {
    let hosts: String = (0..2001).map(|number| format!("[[host]]\nname = \"h{number}\"\naddress = \"a\"\n")).collect();
    let text = format!("[customer]\nname = \"N\"\ntime_zone = \"UTC\"\n{hosts}");
    assert_eq!(problems_in(&text), "6004:1 `host` has 2001 entries (expected: at most 2000)");
}

#[test]
fn all_problems_come_at_once_in_order() {
    let mut lines = LINES;
    (lines[2], lines[11], lines[25]) = ("time_zone = 5", "duration = \"x\"", "address = \"\"");
    let told = problems_in(&lines.join("\n"));
    let places: Vec<&str> = told.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(places, ["3:13", "12:12", "26:11"]);
}
