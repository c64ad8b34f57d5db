//! Numbers and times as each language writes them.

use jiff::Timestamp;

use super::super::LOCALES;
use super::super::catalogue::Catalogue;
use super::Reader;
use crate::domain::inventory::Locale;

fn with_reader<T>(locale: Locale, zone: &str, look: impl FnOnce(&Reader<'_>) -> T) -> T {
    let (_, text) = LOCALES.iter().find(|(known, _)| *known == locale).unwrap();
    let catalogue = Catalogue::parse(locale, text).unwrap();
    look(&Reader::new(&catalogue, zone))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn numbers_are_grouped() {
    let check = |locale, number, expected: &str| {
        assert_eq!(with_reader(locale, "UTC", |reader| reader.number(number).unwrap()), expected);
    };
    check(Locale::De, 0, "0");
    check(Locale::De, 999, "999");
    check(Locale::De, 1000, "1.000");
    check(Locale::De, u64::MAX, "18.446.744.073.709.551.615");
    check(Locale::En, 1_234_567, "1,234,567");
    check(Locale::Hu, 1_234_567, "1\u{a0}234\u{a0}567");
    check(Locale::Ru, 12_345, "12\u{a0}345");
}

#[test]
fn bytes_are_exact_and_rounded() {
    let check = |locale, bytes, expected: &str| {
        assert_eq!(with_reader(locale, "UTC", |reader| reader.bytes(bytes).unwrap()), expected);
    };
    check(Locale::En, 0, "0 bytes");
    check(Locale::En, 1, "1 byte");
    check(Locale::En, 1023, "1,023 bytes");
    check(Locale::En, 1024, "1,024 bytes (1.0\u{a0}KiB)");
    check(Locale::De, 12_582_912, "12.582.912 Byte (12,0\u{a0}MiB)");
    check(Locale::De, 1_610_612_736, "1.610.612.736 Byte (1,5\u{a0}GiB)");
    check(Locale::Ru, 3, "3 байта");
    check(Locale::En, u64::MAX, "18,446,744,073,709,551,615 bytes (16,777,216.0\u{a0}TiB)");
    with_reader(Locale::En, "UTC", |reader| {
        assert_eq!(reader.bytes_short(2048).unwrap(), "2.0\u{a0}KiB");
        assert_eq!(reader.bytes_short(7).unwrap(), "7 bytes");
    });
}

#[test]
fn durations_have_the_precision_that_matters() {
    let check = |milliseconds, german: &str, hungarian: &str| {
        let duration = |locale| with_reader(locale, "UTC", |reader| reader.duration(milliseconds).unwrap());
        assert_eq!((duration(Locale::De), duration(Locale::Hu)), (german.to_owned(), hungarian.to_owned()));
    };
    check(0, "0,0\u{a0}s", "0,0\u{a0}mp");
    check(1249, "1,2\u{a0}s", "1,2\u{a0}mp");
    check(9949, "9,9\u{a0}s", "9,9\u{a0}mp");
    check(9950, "10\u{a0}s", "10\u{a0}mp");
    check(59_499, "59\u{a0}s", "59\u{a0}mp");
    check(59_500, "1\u{a0}min\u{a0}0\u{a0}s", "1\u{a0}perc\u{a0}0\u{a0}mp");
    check(252_000, "4\u{a0}min\u{a0}12\u{a0}s", "4\u{a0}perc\u{a0}12\u{a0}mp");
    check(3_599_499, "59\u{a0}min\u{a0}59\u{a0}s", "59\u{a0}perc\u{a0}59\u{a0}mp");
    check(3_599_500, "1\u{a0}h\u{a0}0\u{a0}min", "1\u{a0}óra\u{a0}0\u{a0}perc");
    check(93_784_000, "26\u{a0}h\u{a0}3\u{a0}min", "26\u{a0}óra\u{a0}3\u{a0}perc");
}

#[test]
fn moments_are_in_the_readers_zone_with_the_offset() {
    let check = |locale, zone: &str, instant: &str, expected: &str| {
        assert_eq!(with_reader(locale, zone, |reader| reader.moment(at(instant)).unwrap()), expected);
    };
    check(Locale::De, "Europe/Berlin", "2026-03-27T13:00:00Z", "27.03.2026 14:00 +01:00");
    check(Locale::De, "Europe/Berlin", "2026-03-29T01:00:00Z", "29.03.2026 03:00 +02:00");
    check(Locale::En, "Europe/London", "2026-03-27T14:00:00Z", "2026-03-27 14:00 +00:00");
    check(Locale::En, "Asia/Kolkata", "2026-03-27T20:00:00Z", "2026-03-28 01:30 +05:30");
    check(Locale::Hu, "Europe/Budapest", "2026-03-27T13:00:00Z", "2026. 03. 27. 14:00 +01:00");
    check(Locale::Ru, "Europe/Moscow", "2026-03-27T13:00:00Z", "27.03.2026 16:00 +03:00");
    check(Locale::De, "No/Such_Zone", "2026-03-27T13:00:00Z", "27.03.2026 13:00 +00:00");
}

#[test]
fn a_span_names_day_and_offset_once_if_they_stay() {
    let check = |from: &str, to: Option<&str>, expected: &str| {
        let span = with_reader(Locale::De, "Europe/Berlin", |reader| reader.span(at(from), to.map(at)).unwrap());
        assert_eq!(span, expected);
    };
    let afternoon = "2026-03-27T13:00:00Z";
    check(afternoon, Some("2026-03-27T14:30:00Z"), "27.03.2026 14:00 bis 15:30 +01:00");
    check(afternoon, None, "seit 27.03.2026 14:00 +01:00");
    let midnight = "27.03.2026 23:50 +01:00 bis 28.03.2026 00:10 +01:00";
    check("2026-03-27T22:50:00Z", Some("2026-03-27T23:10:00Z"), midnight);
    let clocks_back = "25.10.2026 02:30 +02:00 bis 25.10.2026 02:30 +01:00";
    check("2026-10-25T00:30:00Z", Some("2026-10-25T01:30:00Z"), clocks_back);
}
