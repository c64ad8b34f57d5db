//! The tables are whole, and say what the calendars on the wall say.

use jiff::civil::{Date, date};

use super::{PLACES, Region, TABLES, holidays};

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

/// The holidays of a year as `MM-DD name`.
fn listed(code: &str, year: i16) -> Vec<String> {
    let list = holidays(&region(code), year);
    list.into_iter().map(|holiday| format!("{} {}", holiday.date.strftime("%m-%d"), holiday.name)).collect()
}

#[test]
fn every_line_of_every_table_is_read() {
    for table in TABLES {
        let mut expected = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split('\t').collect();
            match fields[..] {
                ["years", first, last] => assert!(first.parse::<i16>().unwrap() < last.parse::<i16>().unwrap()),
                ["decrees", year] => assert!(year.parse::<i16>().unwrap() > 2020),
                ["region", code, name] => assert_eq!(region(code).name(), name),
                [day, name, codes] => {
                    let day: Date = day.parse().unwrap();
                    let codes: Vec<&str> = if codes == "*" { all_regions(table) } else { codes.split(',').collect() };
                    for code in &codes {
                        assert_eq!(region(code).holiday(day).as_deref(), Some(name), "{code} {day}");
                    }
                    expected += codes.len();
                }
                _ => panic!("{line}"),
            }
        }
        let read = PLACES.iter().filter(|place| all_regions(table).contains(&place.code));
        assert_eq!(read.map(|place| place.days.len()).sum::<usize>(), expected);
    }
}

fn all_regions(table: &str) -> Vec<&str> {
    table.lines().filter_map(|line| line.strip_prefix("region\t")?.split('\t').next()).collect()
}

#[test]
fn tables_are_in_order_and_cover_their_years() {
    assert_eq!(Region::all().count(), 17 + 10 + 27 + 2);
    for region in Region::all() {
        let days = &region.0.days;
        assert!(days.windows(2).all(|pair| pair[0].0 < pair[1].0), "{region}: dates ascend and are unique");
        assert_eq!(region.years(), 2020..=2045, "{region}");
        for year in region.years() {
            assert!(holidays(&region, year).len() >= 4, "{region} {year}");
        }
        assert!(days.iter().all(|(date, _)| region.covers(date.year())), "{region}");
    }
}

#[test]
fn holidays_of_a_year() {
    let bavaria = [
        "01-01 Neujahr",
        "01-06 Heilige Drei Könige",
        "03-26 Karfreitag",
        "03-29 Ostermontag",
        "05-01 Erster Mai",
        "05-06 Christi Himmelfahrt",
        "05-17 Pfingstmontag",
        "05-27 Fronleichnam",
        "10-03 Tag der Deutschen Einheit",
        "11-01 Allerheiligen",
        "12-25 Erster Weihnachtstag",
        "12-26 Zweiter Weihnachtstag",
    ];
    assert_eq!(listed("DE-BY", 2027), bavaria);
    // Holidays of a part of the country are none of the whole.
    assert_eq!(listed("DE", 2027).len(), 9);
    assert!(listed("AT-9", 2026).contains(&"10-26 Nationalfeiertag".to_owned()));
    assert!(listed("CH-ZH", 2026).contains(&"08-01 Nationalfeiertag".to_owned()));
    assert_eq!(region("CH-ZH").holiday(date(2026, 1, 2)), None, "half days and customs are left out");
    assert_eq!(region("CH-BE").holiday(date(2026, 1, 2)).as_deref(), Some("Berchtoldstag"));
    assert_eq!(region("HU").holiday(date(2026, 8, 20)).as_deref(), Some("Az államalapítás ünnepe"));
    assert_eq!(region("RU").holiday(date(2027, 2, 23)).as_deref(), Some("День защитника Отечества"));
}

#[test]
fn moved_working_days_are_known_until_the_last_decree() {
    assert_eq!(region("HU").holiday(date(2026, 8, 21)).as_deref(), Some("Pihenőnap (2026. 08. 08.-től helyettesítve)"));
    assert_eq!(region("RU").holiday(date(2027, 11, 5)).as_deref(), Some("Выходной (перенесено с 02.01.2027)"));
    let provisional = |code: &str, year| region(code).is_provisional(year);
    assert_eq!([provisional("HU", 2026), provisional("HU", 2027)], [false, true]);
    assert_eq!([provisional("RU", 2027), provisional("RU", 2028)], [false, true]);
    assert_eq!([provisional("DE-BY", 2045), provisional("CH", 2045)], [false, false]);
}

#[test]
fn years_outside_the_tables_are_not_covered() {
    let region = region("DE-BY");
    assert_eq!(
        [2019, 2020, 2045, 2046, -1, 9999].map(|year| region.covers(year)),
        [false, true, true, false, false, false]
    );
    assert_eq!(holidays(&region, 2046), []);
    assert_eq!(holidays(&region, 2019), []);
}

#[test]
fn unknown_regions_are_told_with_what_may_be_meant() {
    let check = |code: &str, hint: &str| {
        let error = code.parse::<Region>().unwrap_err();
        assert!(error.hint.starts_with(hint), "{code}: {}", error.hint);
        assert!(error.to_string().starts_with("there are no holidays of the region `"));
    };
    check("de-by", "did you mean `DE-BY`?");
    check("CH_ZH", "did you mean `CH-ZH`?");
    check("Bayern", "did you mean `DE-BY`?");
    check("Thüringn", "did you mean `DE-TH`?");
    check("DE-BAY", "did you mean `DE-BY`?");
    check("AT-99", "did you mean `AT-9`?");
    check("DE-XX", "there are `DE` Deutschland, `DE-BB` Brandenburg, ");
    check("FR", "there are DE, AT and CH with their parts");
    check("", "there are DE, AT and CH with their parts");
    check("DE-BY\u{1b}[31m", "there are `DE`");
}
