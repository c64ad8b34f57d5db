//! From settings and inventory to machines that can be reached.

use std::path::{Path, PathBuf};

use futures_util::FutureExt;

use crate::domain::inventory::Connection;
use crate::domain::job::SecretReference;
use crate::domain::settings::Ssh;
use crate::edge::config;
use crate::edge::remote::{Environment, LocalHost, Passphrase, SshSettings};

/// What holds for all connections of this process.
///
/// # Errors
/// If the user's ssh_config can't be named.
pub(in crate::app) fn ssh_settings(ssh: &Ssh, state_dir: &Path) -> Result<SshSettings, config::Error> {
    let user_config = config::ssh_config_file(ssh.config_file.as_deref())?;
    Ok(SshSettings {
        user_config: user_config.unwrap_or_else(|| PathBuf::from("~/.ssh/config")),
        known_hosts: known_hosts(state_dir),
        connect_timeout_s: ssh.connect_timeout_s,
        keep_alive_s: ssh.keep_alive_s,
        sessions_per_host: usize::from(ssh.sessions_per_host),
        connect_parallel: usize::from(ssh.connect_parallel),
        transport: ssh.transport,
        passphrase: ssh.identity_passphrase.clone().map(passphrase),
        environment: Environment(
            config::environment()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        ),
    })
}

/// Read anew for each login: it may have changed, and nobody keeps it.
fn passphrase(reference: SecretReference) -> Passphrase {
    Passphrase::by(move || {
        let reference = reference.clone();
        async move {
            let secret = config::resolve_secret(&reference).await.map_err(|error| error.to_string())?;
            Ok(secret.expose().to_owned())
        }
        .boxed()
    })
}

/// The controller's own machine, for steps that run there.
pub(in crate::app) fn local_host(state_dir: &Path) -> LocalHost {
    LocalHost::new(config::environment(), Some(state_dir.join("capsules").display().to_string()))
}

/// turnus's own file of host keys.
pub(in crate::app) fn known_hosts(state_dir: &Path) -> PathBuf {
    state_dir.join("known_hosts")
}

/// Fills in what the inventory leaves to turnus.toml.
pub(in crate::app) fn fill_in_defaults(connection: &mut Connection, ssh: &Ssh) {
    connection.user = connection.user.take().or_else(|| ssh.user.clone());
    connection.port = connection.port.or(ssh.port);
    connection.identity_file = connection.identity_file.take().or_else(|| ssh.identity_file.clone());
    for hop in &mut connection.proxy_jump {
        fill_in_defaults(hop, ssh);
    }
}
