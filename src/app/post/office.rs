//! What a pass is made with, from the settings of this machine: mailer, words, logo, sender.
//!
//! Invariant: what is missing at first, and is put there later, is found without a restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::time::Instant;

use crate::app::mailer::open_mailer;
use crate::domain::mail::{LOGO_CONTENT_ID, Sender};
use crate::domain::settings::delivery::{self, Web};
use crate::domain::settings::{Pdf, Provider, Settings};
use crate::domain::wording::WordingFile;
use crate::edge::config;
use crate::edge::mail::{Image, Mailbox, Mailer};
use crate::edge::text::Texts;

/// What a mail server may take longer than its settings say before the message is another's.
const SPARE: Duration = Duration::from_secs(60);
/// How long writing a letter into a directory may take.
const WRITING: Duration = Duration::from_secs(60);
/// After a pass that was broken off the next one waits so long.
const REST: Duration = Duration::from_secs(60);

/// All that sends, ready.
pub struct Post {
    /// `machine:pid`
    pub(super) by: String,
    pub(super) provider: Provider,
    /// The provider's address.
    pub(super) email: String,
    /// Of Message-IDs.
    pub(super) domain: String,
    pub(super) web: Web,
    pub(super) mailer: Mailer,
    pub(super) texts: Texts,
    pub(super) logo: Option<Image>,
    /// What reports are attached as.
    pub(super) pdf: Pdf,
    /// For so long a message is kept while it is on its way to the mail server.
    pub(super) sending: Duration,
    /// Whose letter is on its way.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Post {
    /// Gets ready by the settings of this machine; nothing is connected yet. `by` names this process among those that send.
    ///
    /// # Errors
    /// What the settings refer to is not there, or nothing says where messages go.
    pub async fn open(settings: &Settings, wording: &[WordingFile], by: &str) -> anyhow::Result<Self> {
        let mail = settings.mail.as_ref().ok_or_else(|| anyhow!("there is no `[mail]` in turnus.toml"))?;
        let provider = settings.provider.clone();
        let email = provider.email.clone().ok_or_else(|| anyhow!("there is no `email` in `[provider]`"))?;
        let sending = match mail {
            delivery::Mailer::Smtp(smtp) => Duration::from_secs(smtp.timeout_s) + SPARE,
            delivery::Mailer::File { .. } => WRITING,
        };
        Ok(Self {
            by: by.to_owned(),
            domain: message_id_domain(&email),
            logo: provider.logo.as_deref().map(read_logo).transpose()?,
            web: settings.web.clone(),
            pdf: settings.report.pdf,
            mailer: open_mailer(mail).await?,
            texts: Texts::with_wording(wording).context("the texts can't be used")?,
            sending,
            turn: tokio::sync::Mutex::default(),
            provider,
            email,
        })
    }

    /// The provider, as it stands under a mail.
    pub(super) fn sender(&self) -> Sender {
        Sender {
            name: self.name().to_owned(),
            email: self.provider.reply_to.as_ref().unwrap_or(&self.email).clone(),
            signature: self.provider.signature.clone(),
            has_logo: self.logo.is_some(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.provider.name.as_deref().unwrap_or(&self.email)
    }

    pub(super) fn from(&self) -> Mailbox {
        Mailbox { name: self.provider.name.clone(), address: self.email.clone() }
    }

    pub(super) fn reply_to(&self) -> Option<Mailbox> {
        let address = self.provider.reply_to.clone()?;
        Some(Mailbox { name: self.provider.name.clone(), address })
    }
}

/// The right side of Message-IDs: that of the sender's address, or else a name that nobody has (RFC 2606, section 2).
fn message_id_domain(email: &str) -> String {
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
    let is_plain = |domain: &String| domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    domain.filter(is_plain).unwrap_or_else(|| "turnus.invalid".to_owned())
}

fn read_logo(path: &str) -> anyhow::Result<Image> {
    let content = config::read_logo(path)?;
    let media_type = if content.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    Ok(Image { content_id: LOGO_CONTENT_ID.to_owned(), media_type: media_type.to_owned(), content })
}

/// Where a daemon gets its [`Post`]: made at the first need, and made again as long as that fails.
pub struct Office {
    settings: Settings,
    /// The provider's own words.
    wording: Vec<WordingFile>,
    by: String,
    post: tokio::sync::Mutex<Option<Arc<Post>>>,
    rests_until: Mutex<Option<Instant>>,
}

impl Office {
    /// `None`: nothing says where messages go, so they wait.
    #[must_use]
    pub fn new(settings: &Settings, wording: Vec<WordingFile>, by: String) -> Option<Self> {
        settings.mail.as_ref()?;
        let (post, rests_until) = (tokio::sync::Mutex::default(), Mutex::default());
        Some(Self { settings: settings.clone(), wording, by, post, rests_until })
    }

    /// What sends.
    ///
    /// # Errors
    /// See [`Post::open`].
    pub async fn open(&self) -> anyhow::Result<Arc<Post>> {
        let mut post = self.post.lock().await;
        if let Some(post) = &*post {
            return Ok(post.clone());
        }
        let opened = Post::open(&self.settings, &self.wording, &self.by).await;
        let opened = Arc::new(opened.context("no message can be sent")?);
        Ok(post.insert(opened).clone())
    }

    /// The mail server is out of order: the next pass waits, and finds what the settings refer to anew.
    pub async fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
        *self.post.lock().await = None;
    }

    /// Whether it is too early for another pass.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }
}
