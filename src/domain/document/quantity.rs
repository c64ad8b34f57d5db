//! Durations and sizes as people write them.

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

/// Whole seconds of a duration such as `45m`, `1h 30m` or `14d`; a day has 24 hours, months and years have no length.
pub(super) fn parse_duration_s(text: &str) -> Option<i64> {
    let span = SpanParser::new().parse_span(text).ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (duration.subsec_nanos() == 0).then(|| duration.as_secs())
}

/// Bytes of a size such as `1024`, `500MB` or `2GiB`.
pub(super) fn parse_size_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let bytes_per_unit: u64 = match unit.trim_start_matches(' ') {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000_u64.pow(2),
        "GB" => 1000_u64.pow(3),
        "TB" => 1000_u64.pow(4),
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(bytes_per_unit)
}
