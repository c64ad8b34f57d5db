//! What most commands need first: the files, all of them right, and the database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::exit::Failure;
use crate::app::calendar::proposal::Published;
use crate::app::console::say;
use crate::app::controller::drive;
use crate::domain::catalog::{Catalog, Source, SourceKind, build};
use crate::domain::id::{ContentHash, Name};
use crate::domain::inventory::Customer;
use crate::domain::job::Job;
use crate::domain::problem::Problems;
use crate::domain::run::event::Recorded;
use crate::domain::settings::Database;
use crate::edge::config;
use crate::edge::store::revision::{Revision, RevisionKind};
use crate::edge::store::run::{RunNumber, StoredRun, find_run};
use crate::edge::store::{CONNECTIONS, Store, Target};
use crate::edge::text::Texts;

/// The files of a configuration directory, checked.
pub(crate) struct Context {
    pub(crate) catalog: Catalog,
    pub(crate) state_dir: PathBuf,
    directory: PathBuf,
    sources: Vec<Source>,
}

impl Context {
    pub(crate) fn load(directory: PathBuf) -> Result<Self, Failure> {
        let sources = config::read_sources(&directory)?;
        let catalog = build(&sources).map_err(|problems| {
            say(&problems.to_string());
            let count = problems.0.len();
            Failure::usage(anyhow!("{count} {} in the files", if count == 1 { "mistake" } else { "mistakes" }))
                .hint("`turnus check` shows each with its line")
        })?;
        let state_dir = config::state_dir(catalog.settings.state_dir.as_deref())?;
        Ok(Self { catalog, state_dir, directory, sources })
    }

    /// For commands that need no more than the database, and must work in an emergency: the other files need not be right, nor there.
    /// They have no customers and jobs then.
    pub(crate) fn load_for_the_record(directory: PathBuf) -> Result<Self, Failure> {
        let settings: Vec<Source> = config::read_settings(&directory).into_iter().collect();
        if settings.is_empty() {
            // Where there are no files at all, it is rather the wrong directory: another database would be opened, or made.
            config::read_sources(&directory)?;
        }
        let catalog = build(&settings).map_err(|problems| {
            say(&problems.to_string());
            Failure::usage(anyhow!("turnus.toml can't be used"))
        })?;
        let state_dir = config::state_dir(catalog.settings.state_dir.as_deref())?;
        Ok(Self { catalog, state_dir, directory, sources: settings })
    }

    pub(crate) fn customer(&self, name: &str) -> Result<&Customer, Failure> {
        find(&self.catalog.customers, "customer", "inventories", name)
    }

    pub(crate) fn job(&self, name: &str) -> Result<&Job, Failure> {
        find(&self.catalog.jobs, "job", "jobs", name)
    }

    /// All texts, in the provider's own words as far as they can be used: a slip in one of them keeps nobody from a report.
    pub(crate) fn texts(&self) -> Result<Texts, Failure> {
        let files = config::read_wording(&self.directory)?;
        let tell = |problems: &Problems| {
            say(&format!(
                "{problems}\n\nhint: until that is right, the texts are turnus's own; `turnus check` tells more"
            ));
        };
        Texts::with_usable_wording(&files, tell).map_err(Failure::failed)
    }

    /// Opens the database; commands that only look back need it as well as those that run.
    pub(crate) async fn open_store(&self) -> Result<Store, Failure> {
        open_store(&self.catalog.settings.database, &self.state_dir).await
    }

    /// The same for commands that drive a run: an interruption before there is something to drive leaves in order, too.
    pub(crate) async fn open_store_to_drive(&self) -> Result<Store, Failure> {
        tokio::select! {
            opened = self.open_store() => opened,
            Ok(()) = tokio::signal::ctrl_c() => Err(Failure::declined()),
        }
    }

    /// All files, as they are applied.
    pub(super) fn applied_files(&self) -> Vec<AppliedFile<'_>> {
        self.sources.iter().filter_map(applied_file).collect()
    }

    /// The files that a run is made from, to be stored with it.
    pub(crate) fn revisions<'a>(&'a self, customer: &'a Customer, job: &'a Job) -> Vec<Revision<'a>> {
        let text = |kind: SourceKind, hash: &ContentHash| {
            let source = self.sources.iter().filter(|source| source.kind == kind);
            source
                .filter_map(|source| source.text.as_deref().ok())
                .find(|text| ContentHash::of(text.as_bytes()) == *hash)
        };
        let inventory = text(SourceKind::Inventory, &customer.revision).map(|content| Revision {
            hash: &customer.revision,
            kind: RevisionKind::Inventory,
            name: customer.name.as_str(),
            content,
        });
        let job = text(SourceKind::Job, &job.revision).map(|content| Revision {
            hash: &job.revision,
            kind: RevisionKind::Job,
            name: job.name.as_str(),
            content,
        });
        inventory.into_iter().chain(job).collect()
    }
}

/// A file with what it is called where it is applied.
pub(super) struct AppliedFile<'a> {
    pub(super) published: Published,
    pub(super) text: &'a str,
}

impl AppliedFile<'_> {
    pub(super) fn revision(&self) -> Revision<'_> {
        let Published { kind, name, hash } = &self.published;
        Revision { hash, kind: *kind, name, content: self.text }
    }
}

fn applied_file(source: &Source) -> Option<AppliedFile<'_>> {
    let kind = match source.kind {
        SourceKind::Settings => RevisionKind::Settings,
        SourceKind::Inventory => RevisionKind::Inventory,
        SourceKind::Job => RevisionKind::Job,
        SourceKind::Calendar => RevisionKind::Calendar,
    };
    let text = source.text.as_deref().ok()?;
    let stem = Path::new(&source.file).file_stem()?.to_str()?;
    Some(AppliedFile {
        published: Published { kind, name: stem.to_owned(), hash: ContentHash::of(text.as_bytes()) },
        text,
    })
}

pub(super) async fn open_store(database: &Database, state_dir: &Path) -> Result<Store, Failure> {
    open_store_wide(database, state_dir, CONNECTIONS).await
}

/// The same with up to `connections`.
pub(super) async fn open_store_wide(database: &Database, state_dir: &Path, connections: u32) -> Result<Store, Failure> {
    let target = match database {
        Database::Private => Target::Private { state_dir: state_dir.to_owned() },
        Database::Url(url) => Target::Url(url.clone()),
        Database::Reference(reference) => Target::Url(config::resolve_secret(reference).await?.expose().to_owned()),
    };
    Ok(Store::open_wide(target, connections).await?)
}

fn find<'a, T>(known: &'a BTreeMap<Name, T>, what: &str, folder: &str, name: &str) -> Result<&'a T, Failure> {
    if let Some(found) = name.parse().ok().and_then(|name: Name| known.get(&name)) {
        return Ok(found);
    }
    let similar = known.keys().map(|known| (strsim::jaro_winkler(known.as_str(), name), known));
    let nearest = similar.max_by(|left, right| left.0.total_cmp(&right.0)).filter(|(similarity, _)| *similarity > 0.8);
    let failure = Failure::usage(anyhow!("there is no {what} `{name}`"));
    Err(match nearest {
        Some((_, nearest)) => failure.hint(format!("did you mean `{nearest}`?")),
        None => failure.hint(format!("each file {folder}/NAME.toml is one; there are: {}", list(known.keys()))),
    })
}

fn list<'a>(names: impl Iterator<Item = &'a Name>) -> String {
    let names: Vec<_> = names.map(Name::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The run that people call `number`.
pub(super) async fn read_run(store: &Store, number: i64) -> Result<StoredRun, Failure> {
    let mut transaction = store.begin().await?;
    let found = find_run(&mut transaction, RunNumber(number)).await?;
    found.ok_or_else(|| Failure::usage(anyhow!("there is no run {number}")).hint("`turnus runs` lists them"))
}

/// All events of a run.
pub(super) async fn read_record(store: &Store, run: &StoredRun) -> Result<Vec<Recorded>, Failure> {
    Ok(drive::read_record(store, run.id).await?)
}

/// Who is at the keyboard, for the record: behind sudo, the person and not root.
pub(super) fn person() -> String {
    config::person()
}
