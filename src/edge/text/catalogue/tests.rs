//! Plural rules, placeholders, and that all languages have the same texts.

use std::collections::BTreeSet;

use super::super::{Error, LOCALES};
use super::{Catalogue, Message, Plural, Value, plural};
use crate::domain::inventory::Locale;

fn catalogues() -> Vec<Catalogue> {
    LOCALES.iter().map(|(locale, text)| Catalogue::parse(*locale, text).unwrap()).collect()
}

fn forms(message: &Message) -> Vec<&str> {
    match message {
        Message::Plain(text) => vec![text],
        Message::Plural(forms) => forms.values().map(String::as_str).collect(),
    }
}

/// Every placeholder of any form.
pub(super) fn placeholders(message: &Message) -> BTreeSet<String> {
    let names = |text: &str| {
        let parts: Vec<_> = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
        parts
    };
    forms(message).into_iter().flat_map(names).collect()
}

#[test]
fn plural_rules() {
    let check = |locale, counts: &[u64], expected| {
        for count in counts {
            assert_eq!(plural(locale, *count), expected, "{count} in {locale:?}");
        }
    };
    for locale in [Locale::De, Locale::En, Locale::Hu] {
        check(locale, &[1], Plural::One);
        check(locale, &[0, 2, 5, 11, 21, 101], Plural::Other);
    }
    check(Locale::Ru, &[1, 21, 101, 1001], Plural::One);
    check(Locale::Ru, &[2, 3, 4, 22, 104, 1002], Plural::Few);
    check(Locale::Ru, &[0, 5, 11, 12, 13, 14, 19, 20, 111, 112, 1014], Plural::Many);
}

#[test]
fn texts_are_filled_in() {
    let text =
        "plain = \"{host}: {what} {host}\"\n[deep.er]\ncount = { one = \"{count} a\", other = \"{count} bs, {host}\" }";
    let catalogue = Catalogue::parse(Locale::En, text).unwrap();
    let check = |key: &str, values: &[(&str, Value<'_>)], expected: &str| {
        assert_eq!(catalogue.text(key, values).unwrap(), expected);
    };
    let host = ("host", Value::Text("{what} {nothing}"));
    check("plain", &[host, ("what", Value::Text("x"))], "{what} {nothing}: x {what} {nothing}");
    check("deep.er.count", &[("count", Value::Count(1, "1")), host], "1 a");
    check("deep.er.count", &[("count", Value::Count(1000, "1,000")), host], "1,000 bs, {what} {nothing}");
}

#[test]
fn what_is_missing_is_an_error() {
    let catalogue = Catalogue::parse(Locale::En, "a = \"{x}\"\nb = { other = \"{count}\" }\nc = \"{x\"").unwrap();
    let error = |key: &str| catalogue.text(key, &[("y", Value::Text("y"))]).unwrap_err().to_string();
    assert_eq!(error("nope"), "there is no text `nope` in `en`");
    assert_eq!(error("a"), "the text `a` wants a value `x`");
    assert_eq!(error("b"), "the text `b` wants a value `count`");
    assert_eq!(error("c"), "the text `c` wants a value `x`");
    let parse = |text: &str| Catalogue::parse(Locale::En, text).unwrap_err();
    assert!(matches!(parse("a = 1"), Error::NotAText { key, .. } if key == "a"));
    assert!(matches!(parse("a = { other = \"x\", several = \"y\" }"), Error::NotAText { .. }));
    assert!(matches!(parse("a ="), Error::Locale { locale: "en", .. }));
}

#[test]
fn all_languages_have_the_same_texts_with_the_same_placeholders() {
    let [german, others @ ..] = &catalogues()[..] else { panic!("there are languages") };
    let keys = |catalogue: &Catalogue| catalogue.messages().keys().cloned().collect::<BTreeSet<_>>();
    for other in others {
        let missing: Vec<_> = keys(german).symmetric_difference(&keys(other)).cloned().collect();
        assert_eq!(missing, [""; 0], "in German or {:?} only", other.locale());
        for (key, message) in german.messages() {
            let theirs = &other.messages()[key];
            assert_eq!(placeholders(message), placeholders(theirs), "`{key}` in {:?}", other.locale());
            let plural = |message: &Message| matches!(message, Message::Plural(_));
            assert_eq!(plural(message), plural(theirs), "`{key}` in {:?}", other.locale());
        }
    }
}

#[test]
fn every_language_has_the_plural_forms_that_it_needs() {
    for catalogue in catalogues() {
        let needed: Vec<_> = match catalogue.locale() {
            Locale::Ru => vec![Plural::One, Plural::Few, Plural::Many, Plural::Other],
            _ => vec![Plural::One, Plural::Other],
        };
        for (key, message) in catalogue.messages() {
            if let Message::Plural(forms) = message {
                assert_eq!(forms.keys().copied().collect::<Vec<_>>(), needed, "`{key}` in {:?}", catalogue.locale());
            }
        }
    }
}

#[test]
fn no_text_is_empty_or_has_stray_spaces() {
    for catalogue in catalogues() {
        for (key, message) in catalogue.messages() {
            for form in forms(message) {
                let tidy = !form.is_empty() && !form.contains("  ") && !form.starts_with(' ') && !form.ends_with(' ');
                assert!(tidy, "`{key}` in {:?}: {form:?}", catalogue.locale());
            }
        }
    }
}
