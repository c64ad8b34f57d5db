//! Secrets by reference: where a value comes from, never the value.

use std::collections::BTreeMap;

use super::SecretReference;
use crate::domain::document::{Table, Value, Wrong, quoted};
use crate::domain::inventory::address::{LOCAL_PATH_RULE, parse_local_path};

const REFERENCE_RULE: &str = "`{ env = \"…\" }`, `{ file = \"…\" }` or `{ command = [\"…\"] }`";

/// Reads `secrets`: the keys are the author's own.
pub(super) fn read_secrets(table: &Table<'_>) -> BTreeMap<String, SecretReference> {
    table.entries().filter_map(|(key, value)| key.variable().zip(read_reference(&value, key.text))).collect()
}

/// Reads a reference. Anything else may be the secret itself, so no message quotes it.
pub(in crate::domain) fn read_reference(value: &Value<'_>, key: &str) -> Option<SecretReference> {
    if !value.is_table() {
        let wrong = Wrong::new(format!("{} holds a secret in clear", quoted(key))).expected(REFERENCE_RULE);
        value.report(wrong.hint("keep the value out of the file, and change it if the file was shared").concealed());
        return None;
    }
    let mut table = value.table()?;
    let env = table.optional("env").map(|value| read_env(&value));
    let file = table.optional("file").map(|value| read_file(&value));
    let command = table.optional("command").map(|value| read_command(&value));
    let mut given = [env, file, command].into_iter().flatten();
    let (first, second) = (given.next(), given.next());
    if first.is_none() || second.is_some() {
        let found = if first.is_none() { "none" } else { "more than one" };
        table.report(
            Wrong::new(format!("{} names {found} of `env`, `file`, `command`", quoted(key))).expected(REFERENCE_RULE),
        );
    }
    table.finish();
    first?
}

fn read_env(value: &Value<'_>) -> Option<SecretReference> {
    let fits = |text: &&str| {
        !text.starts_with(|first: char| first.is_ascii_digit())
            && (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let name = value.as_str().filter(fits).map(str::to_owned);
    name.map(SecretReference::Env).or_else(|| refuse(value, "env", "the name of an environment variable"))
}

fn read_file(value: &Value<'_>) -> Option<SecretReference> {
    let path = value.as_str().and_then(parse_local_path);
    path.map(SecretReference::File).or_else(|| refuse(value, "file", LOCAL_PATH_RULE))
}

fn read_command(value: &Value<'_>) -> Option<SecretReference> {
    let rule = "an array: the program that prints the secret, then its arguments";
    let words = value.as_strings().filter(|words| words.first().is_some_and(|program| !program.is_empty()));
    let words = words.filter(|words| words.iter().all(|word| !word.contains('\0')));
    words.map(SecretReference::Command).or_else(|| refuse(value, "command", rule))
}

/// Whoever got the reference wrong may have written the secret in its place: its value is not quoted.
fn refuse<T>(value: &Value<'_>, key: &str, expected: &str) -> Option<T> {
    value.report(Wrong::new(format!("`{key}` is not what it should be")).expected(expected).concealed());
    None
}
