//! Gets from what `[mail]` says to something that sends: fills in the home directory, and reads the password where it is kept.

use anyhow::Context as _;

use crate::domain::settings::delivery;
use crate::edge::config;
use crate::edge::mail::Mailer;

/// Gets ready to send by these settings; nothing is connected yet.
///
/// # Errors
/// What the settings refer to is not there.
pub async fn open_mailer(settings: &delivery::Mailer) -> anyhow::Result<Mailer> {
    let expand = |path: &str| config::expand_home(path).map(|path| path.to_string_lossy().into_owned());
    match settings {
        delivery::Mailer::File { directory } => {
            Ok(Mailer::open(&delivery::Mailer::File { directory: expand(directory)? }, None)?)
        }
        delivery::Mailer::Smtp(smtp) => {
            let ca_file = smtp.ca_file.as_deref().map(expand).transpose()?;
            let password = match &smtp.password {
                Some(reference) => {
                    let secret = config::resolve_secret(reference).await;
                    Some(secret.context("`password` of `[mail]` is not there")?)
                }
                None => None,
            };
            let settings = delivery::Mailer::Smtp(delivery::Smtp { ca_file, ..smtp.clone() });
            Ok(Mailer::open(&settings, password.as_ref().map(config::Secret::expose))?)
        }
    }
}
