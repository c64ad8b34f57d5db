//! What becomes of placeholders.

use std::collections::BTreeMap;

use super::{Target, fill_in, fill_in_url, is_template};

#[test]
fn values_stay_in_their_place_in_the_url() {
    let vars = BTreeMap::from([("site".to_owned(), "a/b?c#d@e".to_owned())]);
    let fill = |template, address| fill_in_url(template, Target { address, vars: &vars });
    assert_eq!(fill("http://$ADDRESS/x", "web.example").unwrap(), "http://web.example/x");
    assert_eq!(fill("http://$ADDRESS:80/", "2001:db8::1").unwrap(), "http://[2001:db8::1]:80/");
    assert_eq!(fill("http://h/$VAR_SITE/y", "h").unwrap(), "http://h/a%2Fb%3Fc%23d%40e/y");
    assert!(fill("http://h/$VAR_OTHER", "h").unwrap_err().contains("$VAR_OTHER"));
}

#[test]
fn elsewhere_values_are_as_they_are() {
    let vars = BTreeMap::from([("port".to_owned(), "25".to_owned()), ("user".to_owned(), "a b".to_owned())]);
    let fill = |template, address| fill_in(template, Target { address, vars: &vars });
    assert_eq!(fill("$ADDRESS:$VAR_PORT", "::1").unwrap(), "[::1]:25");
    assert_eq!(fill("$VAR_USER@x", "h").unwrap(), "a b@x");
}

#[test]
fn nothing_else_begins_with_a_dollar() {
    for (text, is) in
        [("a", true), ("$ADDRESS", true), ("$VAR_A1", true), ("$VAR_", false), ("$x", false), ("$", false)]
    {
        assert_eq!(is_template(text), is, "{text}");
    }
}
