//! What browsers say, and what others make of it.

use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::{HeaderMap, HeaderValue};

use super::choose;
use crate::domain::inventory::Locale;

#[test]
fn the_most_wanted_of_our_languages() {
    let check = |wanted: &str, expected: Locale| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(wanted).unwrap());
        assert_eq!(choose(&headers, Locale::De), expected, "{wanted}");
    };
    check("ru", Locale::Ru);
    check("en-GB,en;q=0.9,hu;q=0.8", Locale::En);
    check("fr, hu;q=0.5, ru;q=0.7", Locale::Ru);
    check("hu;q=0.25,EN;q=0.3", Locale::En);
    check("fr-FR, *;q=0.1", Locale::De);
    check("ru;q=0", Locale::De);
    check("ru;q=x, hu;level=1", Locale::De);
    check(",;,;q=,=", Locale::De);
    assert_eq!(choose(&HeaderMap::new(), Locale::Hu), Locale::Hu);
}
