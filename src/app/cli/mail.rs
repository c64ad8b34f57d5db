//! `turnus mail preview`: how a mail would look, told of things that never happened.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::report::LocaleArgument;
use crate::app::calendar::{Almanac, horizon};
use crate::app::console::{print, say};
use crate::domain::calendar::Dated as WindowDate;
use crate::domain::id::Name;
use crate::domain::inventory::{Customer, Locale, Window};
use crate::domain::mail::samples::Scene;
use crate::domain::mail::{Dated, LOGO_CONTENT_ID, Sender};
use crate::domain::notification::Kind;
use crate::edge::config;
use crate::edge::mail::{Attachment, Image, Letter, Mailbox, compose};
use crate::edge::text::{Error as TextError, RenderedMail, Texts};

mod enclosed;

use self::enclosed::Between;

/// So many dates ahead are looked at to find two that are held.
const LOOKED_AT: usize = 20;
/// Stands in where the settings have no address; no mail gets there (RFC 2606, section 2).
const NO_ADDRESS: &str = "provider@example.invalid";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a mail of this kind as the customer would get it; nothing is sent, and the database is not asked
    Preview(Preview),
}

#[derive(Debug, Args)]
struct Preview {
    /// What the mail tells
    #[arg(value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)))]
    kind: String,
    /// The customer
    #[arg(long)]
    customer: String,
    /// Language; the customer's own by default, for what the team gets that of the provider
    #[arg(long, value_enum)]
    locale: Option<LocaleArgument>,
    /// Write KIND.eml, KIND.html and KIND.txt to this directory instead of the text to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, directory: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let Command::Preview(preview) = &arguments.command;
    let customer = context.customer(&preview.customer)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == preview.kind);
    let kind = kind.ok_or_else(|| Failure::usage(anyhow!("there is no kind `{}` of mails", preview.kind)))?;
    let texts = read_texts(directory)?;
    let scene = scene(context, customer, kind, preview.locale.map(Locale::from))?;
    let mail = enclosed::name_report(scene.mail(kind));
    let rendered = texts.render_mail(&mail).map_err(Failure::usage)?;
    match &preview.out {
        None => print(&format!("{}\n\n{}", rendered.subject, rendered.text.trim_end())),
        Some(out) => {
            let attachments = enclosed::report(&texts, &mail)?;
            write(context, out, kind, (&scene, customer), (rendered, attachments))?;
        }
    }
    Ok(Exit::Done)
}

/// The embedded words with what the provider has of its own.
fn read_texts(directory: &Path) -> Result<Texts, Failure> {
    let files = config::read_wording(directory)?;
    Texts::with_wording(&files).map_err(|error| match error {
        TextError::Wording(problems) => {
            say(&problems.to_string());
            Failure::usage(anyhow!("the provider's own words can't be used")).hint("`turnus check` shows each mistake")
        }
        error => Failure::failed(error),
    })
}

/// The customer's own next date and hosts, as far as the files have them.
fn scene(context: &Context, customer: &Customer, kind: Kind, locale: Option<Locale>) -> Result<Scene, Failure> {
    let provider = &context.catalog.settings.provider;
    let sender = Sender::of(provider, provider.email.as_deref().unwrap_or(NO_ADDRESS));
    let receives = kind.audience().contacts;
    let default = if receives.is_some() { customer.locale } else { provider.locale };
    let contact =
        receives.and_then(|wanted| customer.contacts.iter().find(|contact| contact.receives.contains(&wanted)));
    let name = match receives {
        Some(_) => contact.map_or(&customer.display_name, |contact| &contact.name),
        None => &sender.name,
    };
    let example = Scene::example(locale.unwrap_or(default));
    let scene = Scene {
        recipient_name: name.clone(),
        customer: customer.name.clone(),
        customer_name: customer.display_name.clone(),
        time_zone: customer.time_zone.clone(),
        public_url: context.catalog.settings.web.public_url.clone(),
        provider: sender,
        ..example
    };
    with_date(context, customer, scene)
}

/// The first two dates that are held; the example's where there are none.
fn with_date(context: &Context, customer: &Customer, scene: Scene) -> Result<Scene, Failure> {
    let now = Timestamp::now();
    let unusable = |problem: &dyn std::fmt::Display| Failure::usage(anyhow!("{problem}"));
    let mut almanac =
        Almanac::read(&context.catalog, &(now..horizon(now).until)).map_err(|problems| unusable(&problems))?;
    let dates = almanac.of(customer).map_err(|problem| unusable(&problem))?;
    let held = |window| -> Vec<WindowDate> {
        dates.next(window, now, LOOKED_AT).into_iter().filter(|date| date.skip.is_none()).collect()
    };
    let next = customer.windows.iter().map(|window| (window, held(window))).filter(|(_, dates)| !dates.is_empty());
    let Some((window, dates)) = next.min_by_key(|(_, dates)| dates.first().map(|date| date.start)) else {
        return Ok(Scene { date: without_window(customer, scene.date.clone()), ..scene });
    };
    let next_opens_at = dates.get(1).map_or(scene.next_opens_at, |date| date.start);
    let date = dates.first().map(|date| told(context, window, date)).unwrap_or(scene.date);
    Ok(Scene { date, next_opens_at, ..scene })
}

fn told(context: &Context, window: &Window, date: &WindowDate) -> Dated {
    let job = context.catalog.jobs.get(&window.job);
    Dated {
        window: window.name.clone(),
        description: job.map_or_else(|| window.job.to_string(), |job| job.description.clone()),
        opens_at: date.start,
        closes_at: date.end,
        hosts: window.hosts.clone(),
    }
}

fn without_window(customer: &Customer, example: Dated) -> Dated {
    let hosts: Vec<Name> = customer.hosts.iter().map(|host| host.name.clone()).collect();
    if hosts.is_empty() { example } else { Dated { hosts, ..example } }
}

fn write(
    context: &Context,
    out: &Path,
    kind: Kind,
    (scene, customer): (&Scene, &Customer),
    (rendered, attachments): (RenderedMail, Vec<Attachment>),
) -> Result<(), Failure> {
    let provider = &context.catalog.settings.provider;
    let logo = provider.logo.as_deref().map(config::read_logo).transpose().map_err(Failure::usage)?;
    let email = provider.email.as_deref().unwrap_or(NO_ADDRESS);
    let mailbox = |name: &str, address: &str| Mailbox { name: Some(name.to_owned()), address: address.to_owned() };
    let sent_at = Timestamp::now();
    let to = customer.contacts.iter().find(|contact| contact.name == scene.recipient_name);
    let letter = Letter {
        message_id: format!("preview-{kind}@turnus.invalid"),
        sent_at,
        from: mailbox(&scene.provider.name, email),
        reply_to: provider.reply_to.as_deref().map(|address| mailbox(&scene.provider.name, address)),
        to: mailbox(&scene.recipient_name, to.map_or(email, |contact| &contact.email)),
        subject: rendered.subject,
        text: rendered.text,
        html: Some(rendered.html),
        logo: logo.map(|content| Image {
            content_id: LOGO_CONTENT_ID.to_owned(),
            media_type: if content.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }.to_owned(),
            content,
        }),
        calendar: enclosed::calendar(context, scene, kind, &Between { customer, contact: to, email }, sent_at),
        attachments,
    };
    let composed = compose(&letter).map_err(|refusal| Failure::usage(anyhow!("{refusal}")))?;
    let page = letter.html.unwrap_or_default();
    config::make_directory(out).with_context(|| format!("can't make `{}`", out.display())).map_err(Failure::usage)?;
    for (ending, content) in [("eml", &*composed), ("html", page.as_bytes()), ("txt", letter.text.as_bytes())] {
        let path = out.join(format!("{kind}.{ending}"));
        config::write_file(&path, content)
            .with_context(|| format!("can't write `{}`", path.display()))
            .map_err(Failure::usage)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}
