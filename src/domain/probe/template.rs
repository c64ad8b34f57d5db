//! Text with the values of a host in it: `$ADDRESS` and `$VAR_NAME`.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

#[cfg(test)]
mod tests;

/// What stands for the values, for messages.
pub const PLACEHOLDERS: &str = "`$ADDRESS` and `$VAR_NAME` stand for the host's values";

/// The machine that a probe looks at.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Host name or IP address.
    pub address: &'a str,
    /// The inventory's values for it.
    pub vars: &'a BTreeMap<String, String>,
}

/// Whether each `$` begins `$ADDRESS` or `$VAR_NAME`.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.split('$').skip(1).all(|after| {
        let name = &after[..name_end(after)];
        name == "ADDRESS"
            || name.strip_prefix("VAR_").is_some_and(|key| key.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

/// Fills in the values as they are; an IPv6 address stands in brackets.
///
/// # Errors
/// The host has no such value; says which.
pub fn fill_in(template: &str, target: Target<'_>) -> Result<String, String> {
    replace(template, target, str::to_owned)
}

/// Fills in the values for a URL: every other character of a value than letters, digits and `-._~` is percent-encoded (RFC 3986,
/// section 2.3), so that a value can't reach beyond its place.
///
/// # Errors
/// The host has no such value; says which.
pub fn fill_in_url(template: &str, target: Target<'_>) -> Result<String, String> {
    replace(template, target, percent_encode)
}

fn replace(template: &str, target: Target<'_>, encode: fn(&str) -> String) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let (name, tail) = after.split_at(name_end(after));
        let value = value_of(name, target, encode).ok_or_else(|| format!("`{template}`: there is no `${name}`"))?;
        text.push_str(&value);
        rest = tail;
    }
    text.push_str(rest);
    Ok(text)
}

fn name_end(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).unwrap_or(text.len())
}

fn value_of(name: &str, target: Target<'_>, encode: fn(&str) -> String) -> Option<String> {
    if name == "ADDRESS" {
        let is_ipv6 = target.address.parse::<Ipv6Addr>().is_ok();
        return Some(if is_ipv6 { format!("[{}]", target.address) } else { encode(target.address) });
    }
    let key = name.strip_prefix("VAR_")?.to_ascii_lowercase();
    target.vars.get(&key).map(|value| encode(value))
}

fn percent_encode(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}
