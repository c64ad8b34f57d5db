//! The language of somebody whom no link names: what the browser says (RFC 9110, section 12.5.4), as far as there is one.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::domain::inventory::Locale;

#[cfg(test)]
mod tests;

/// The most wanted of our languages, or else `default`.
pub(super) fn choose(headers: &HeaderMap, default: Locale) -> Locale {
    let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best = (0, default);
    for range in wanted.split(',') {
        let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
        if let Some(locale) = read(tag)
            && thousandths(weight) > best.0
        {
            best = (thousandths(weight), locale);
        }
    }
    best.1
}

fn read(tag: &str) -> Option<Locale> {
    match tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "de" => Some(Locale::De),
        "en" => Some(Locale::En),
        "hu" => Some(Locale::Hu),
        "ru" => Some(Locale::Ru),
        _ => None,
    }
}

/// `q=0.8` as 800; without a weight 1000; what is none counts nothing.
fn thousandths(weight: &str) -> u16 {
    let Some(number) = weight.trim().strip_prefix("q=") else { return if weight.trim().is_empty() { 1000 } else { 0 } };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let decimals = format!("{:0<3}", decimals.get(..3).unwrap_or(decimals));
    match (whole, decimals.parse()) {
        ("1", _) => 1000,
        ("0", Ok(thousandths)) => thousandths,
        _ => 0,
    }
}
