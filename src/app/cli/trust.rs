//! `turnus trust HOST`: shows the fingerprints of a host's keys, and stores them after a yes.

use std::path::Path;

use anyhow::anyhow;
use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::app::console::{confirms, print, say};
use crate::app::controller::hosts::{fill_in_defaults, known_hosts, ssh_settings};
use crate::domain::id::Name;
use crate::domain::inventory::Connection;
use crate::edge::config;
use crate::edge::remote::SshTarget;
use crate::edge::remote::trust::{KnownKey, OfferedKey, fetch_keys, store_key};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The host, as HOST or CUSTOMER/HOST
    host: String,
    /// Store the keys without asking. Whoever answers on that address is then trusted
    #[arg(long, conflicts_with = "fingerprint")]
    yes: bool,
    /// Store only a key with this fingerprint, told by somebody who knows it; may be given several times
    #[arg(long, value_name = "SHA256:…")]
    fingerprint: Vec<String>,
    /// The host has new keys, and that is right: forget the old ones
    #[arg(long)]
    replace: bool,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let target = find_target(context, &arguments.host)?;
    let file = match &target.connection.known_hosts {
        Some(file) => config::expand_home(file)?,
        None => known_hosts(&context.state_dir),
    };
    let keys = fetch_keys(&target).await.map_err(|error| {
        let hint = error.hint();
        Failure::unreachable(error).maybe_hint(hint)
    })?;
    for key in &keys {
        print(&format!("{}  {}  {}", key.machine, key.algorithm, key.fingerprint));
    }
    let trusted = choose(&keys, &arguments)?;
    if trusted.is_empty() {
        say("nothing was stored");
        return Ok(Exit::Interrupted);
    }
    store(&file, &trusted, arguments.replace)
}

fn choose<'a>(keys: &'a [OfferedKey], arguments: &Arguments) -> Result<Vec<&'a OfferedKey>, Failure> {
    if !arguments.fingerprint.is_empty() {
        let expected: Vec<_> = keys.iter().filter(|key| arguments.fingerprint.contains(&key.fingerprint)).collect();
        if expected.is_empty() {
            return Err(Failure::failed(anyhow!("no key of `{}` has that fingerprint", arguments.host))
                .hint("somebody else may be answering on that address: ask whoever runs the host"));
        }
        return Ok(expected);
    }
    let agreed = match arguments.yes {
        true => Some(true),
        false => confirms("Compare with what the host's owner says. Store?"),
    };
    match agreed {
        Some(true) => Ok(keys.iter().collect()),
        Some(false) => Ok(Vec::new()),
        None => Err(Failure::usage(anyhow!("without a terminal nobody can be asked"))
            .hint("--fingerprint SHA256:…, with what the host's owner says; or --yes")),
    }
}

fn store(file: &Path, keys: &[&OfferedKey], replace: bool) -> Result<Exit, Failure> {
    // Only the first of a machine's keys may push out old ones, or it would push out its fellows too.
    let mut replaced = Vec::new();
    for key in keys {
        let known = if replace && !replaced.contains(&&key.machine) { KnownKey::Replace } else { KnownKey::Keep };
        replaced.push(&key.machine);
        store_key(file, key, known).map_err(Failure::unreachable)?;
    }
    say(&format!("stored in {}", file.display()));
    Ok(Exit::Done)
}

/// The host that a command line names, as HOST or CUSTOMER/HOST.
pub(super) fn find_target(context: &Context, wanted: &str) -> Result<SshTarget, Failure> {
    let (customer, host) = match wanted.split_once('/') {
        Some((customer, host)) => (Some(customer), host),
        None => (None, wanted),
    };
    let found = find_connections(context, customer, host);
    let (name, connection) = match found.as_slice() {
        [(_, connection)] => (wanted.to_owned(), (*connection).clone()),
        [] => {
            return Err(
                Failure::usage(anyhow!("there is no host `{wanted}`")).hint("hosts stand in inventories/*.toml")
            );
        }
        several => {
            let names: Vec<_> = several.iter().map(|(customer, _)| format!("{customer}/{host}")).collect();
            return Err(Failure::usage(anyhow!("several customers have a host `{host}`"))
                .hint(format!("say which: {}", names.join(", "))));
        }
    };
    target_of(context, name, connection)
}

/// A host as the controller reaches it.
pub(super) fn target_of(context: &Context, name: String, mut connection: Connection) -> Result<SshTarget, Failure> {
    let settings = &context.catalog.settings.ssh;
    fill_in_defaults(&mut connection, settings);
    Ok(SshTarget { name, connection, settings: ssh_settings(settings, &context.state_dir)? })
}

fn find_connections<'a>(context: &'a Context, customer: Option<&str>, host: &str) -> Vec<(&'a Name, &'a Connection)> {
    let customers =
        context.catalog.customers.values().filter(|known| customer.is_none_or(|name| known.name.as_str() == name));
    customers
        .flat_map(|customer| customer.hosts.iter().map(move |host| (&customer.name, host)))
        .filter(|(_, known)| known.name.as_str() == host)
        .map(|(customer, host)| (customer, &host.connection))
        .collect()
}
