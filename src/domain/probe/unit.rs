//! Units of systemd on the host.

use serde::{Deserialize, Serialize};

use super::Check;
use crate::domain::document::{Table, Value, Wrong};

/// What must hold of the host's units; at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitCheck {
    /// A unit that must be active: `nginx.service`.
    pub name: Option<String>,
    /// Whether no unit may have failed that had not failed when the host was looked at before.
    pub no_new_failures: bool,
}

/// Reads `unit`.
pub(super) fn read_unit(table: &mut Table<'_>) -> Option<Check> {
    let name = table.optional("name").map(|value| read_name(&value));
    let no_new_failures = table.optional("no_new_failures").map(|value| value.boolean());
    if name.is_none() && no_new_failures.is_none() {
        table.report(
            Wrong::new("`unit` looks at nothing").expected("`name = \"nginx.service\"`, or `no_new_failures = true`"),
        );
    }
    let (name, no_new_failures) =
        (name.map_or(Some(None), |name| name.map(Some)), no_new_failures.unwrap_or(Some(false)));
    Some(Check::Unit(UnitCheck { name: name?, no_new_failures: no_new_failures? }))
}

/// With its type, so that it is clear what is meant (systemd.unit(5)).
fn read_name(value: &Value<'_>) -> Option<String> {
    value.parsed("the name of a unit with its type, such as `nginx.service`", |text| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let is_name = text.len() <= 255 && !text.starts_with('-') && text.bytes().all(is_allowed);
        (is_name && is_typed(text)).then(|| text.to_owned())
    })
}

/// Whether it ends with a type of units, as `nginx.service` does.
#[must_use]
pub fn is_typed(name: &str) -> bool {
    const TYPES: [&str; 11] =
        ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];
    name.rsplit_once('.').is_some_and(|(stem, kind)| !stem.is_empty() && TYPES.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::{UnitCheck, read_unit};
    use crate::domain::document;
    use crate::domain::probe::Check;

    fn read(text: &str) -> Result<UnitCheck, String> {
        let (check, problems) = document::read(text, "x.toml", |mut root| {
            let check = read_unit(&mut root);
            root.finish();
            check
        });
        match check {
            Some(Check::Unit(check)) if problems.0.is_empty() => Ok(check),
            _ => Err(problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }

    #[test]
    fn units_are_read() {
        let unit = |name: Option<&str>, no_new_failures| UnitCheck { name: name.map(str::to_owned), no_new_failures };
        assert_eq!(read("name = \"nginx.service\""), Ok(unit(Some("nginx.service"), false)));
        assert_eq!(
            read("name = \"getty@tty1.service\"\nno_new_failures = true"),
            Ok(unit(Some("getty@tty1.service"), true))
        );
        assert_eq!(read("no_new_failures = true"), Ok(unit(None, true)));
    }

    #[test]
    fn what_is_wrong_is_said_at_once() {
        assert!(read("").unwrap_err().contains("`unit` looks at nothing"));
        for name in ["nginx", "--now.service", ".service", "a b.service", "x.services"] {
            let told = read(&format!("name = \"{name}\"\nno_new_failures = 1\nwho = 2")).unwrap_err();
            for wanted in ["1:8", "the name of a unit with its type", "2:19", "unknown key `who`"] {
                assert!(told.contains(wanted), "{name}, {wanted}: {told}");
            }
        }
    }
}
