//! Who logs in where a probe looks.

use serde::{Deserialize, Serialize};

use crate::domain::document::{Table, Wrong};
use crate::domain::job::SecretReference;
use crate::domain::job::secret::read_reference;

const USER_RULE: &str = "1 to 254 characters without blanks and control characters";

/// A name and its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The login name.
    pub user: String,
    /// Its password.
    pub password: SecretReference,
}

/// Reads `user` and `password`: both or neither.
pub(super) fn read_login(table: &mut Table<'_>) -> Option<Login> {
    let (user, password) = (table.optional("user"), table.optional("password"));
    if user.is_some() != password.is_some() {
        let lacking = if user.is_some() { "password" } else { "user" };
        table.report(Wrong::new(format!("`{lacking}` is missing")).expected("`user` and `password`, or neither"));
    }
    let user = user.and_then(|value| value.parsed(USER_RULE, parse_user));
    let password = password.and_then(|value| read_reference(&value, "password"));
    Some(Login { user: user?, password: password? })
}

fn parse_user(text: &str) -> Option<String> {
    let odd = |character: char| character.is_control() || character.is_whitespace();
    ((1..=254).contains(&text.len()) && !text.contains(odd)).then(|| text.to_owned())
}
