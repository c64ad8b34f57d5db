//! `turnus doctor`: what is there on this machine, what is missing, and what to do about it. Changes nothing.

pub(super) mod host;
mod pages;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::Format;
use super::check::count;
use super::context::open_store;
use super::detach;
use super::exit::{Exit, Failure};
use super::show::{moment, table};
use crate::app::console::{print, show};
use crate::domain::catalog::{Catalog, Source, build};
use crate::domain::inventory::Connection;
use crate::domain::settings::{Database, Settings};
use crate::edge::config;
use crate::edge::store::Store;
use crate::edge::store::applied::list_faults;
use crate::edge::store::cluster::Cluster;
use crate::edge::store::controller::{StoredController, list_controllers};
use crate::edge::store::health::read_health;
use crate::edge::store::notification::desk::{Overview, read_overview};

/// A difference between the clocks of controller and database that people should know of.
const CLOCK_TOLERANCE_S: f64 = 2.0;

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Missing,
}

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    subject: &'static str,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

fn ok(subject: &'static str, found: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Ok, subject, found: found.into(), hint: None }
}

fn warning(subject: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Warning, subject, found: found.into(), hint: Some(hint.into()) }
}

fn missing(subject: &'static str, found: impl Into<String>, hint: Option<String>) -> Finding {
    Finding { verdict: Verdict::Missing, subject, found: found.into(), hint }
}

pub(super) async fn run(directory: &Path, format: Format) -> Result<Exit, Failure> {
    let mut findings = Vec::new();
    let catalog = look_at_files(directory, &mut findings);
    look_at_programs(&mut findings).await;
    if let Some(catalog) = &catalog {
        look_at_keys(catalog, &mut findings);
    }
    match read_settings(directory) {
        Some(settings) => look_at_what_is_set(&settings, &mut findings).await,
        None => {
            let hint = "`turnus check` shows why; state, database and pages were not looked at";
            findings.push(missing("settings", "turnus.toml can't be used", Some(hint.to_owned())));
        }
    }
    findings.push(look_at_clock().await);
    findings.push(ok("time zones", config::describe_time_zone_database()));
    Ok(finish(&findings, format))
}

/// What turnus.toml says, whatever is wrong with other files; none if it can't be used itself.
fn read_settings(directory: &Path) -> Option<Settings> {
    let source: Vec<Source> = config::read_settings(directory).into_iter().collect();
    build(&source).ok().map(|catalog| catalog.settings)
}

async fn look_at_what_is_set(settings: &Settings, findings: &mut Vec<Finding>) {
    match config::state_dir(settings.state_dir.as_deref()) {
        Ok(state_dir) => {
            findings.push(look_at_state_dir(&state_dir));
            look_at_database(settings, &state_dir, findings).await;
        }
        Err(error) => {
            findings.push(missing("state", error.to_string(), Some("set state_dir in turnus.toml".to_owned())))
        }
    }
    pages::look_at_pages(&settings.web, findings).await;
}

fn finish(findings: &[Finding], format: Format) -> Exit {
    print_all(findings, format);
    let is_well = findings.iter().all(|finding| finding.verdict != Verdict::Missing);
    if is_well { Exit::Done } else { Exit::Unreachable }
}

fn print_all(findings: &[Finding], format: Format) {
    if format == Format::Json {
        return print(&serde_json::to_string(findings).unwrap_or_default());
    }
    let mut rows = table(&[]);
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Missing => "MISSING",
        };
        let hint = finding.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        rows.add_row([verdict.to_owned(), finding.subject.to_owned(), format!("{}{hint}", finding.found)]);
    }
    show(&rows.to_string());
}

fn look_at_files(directory: &Path, findings: &mut Vec<Finding>) -> Option<Catalog> {
    let sources = match config::read_sources(directory) {
        Ok(sources) => sources,
        Err(error) => {
            findings.push(missing("files", error.to_string(), error.hint()));
            return None;
        }
    };
    match build(&sources) {
        Ok(catalog) => {
            let hosts: usize = catalog.customers.values().map(|customer| customer.hosts.len()).sum();
            let counts =
                [count(catalog.customers.len(), "customer"), count(hosts, "host"), count(catalog.jobs.len(), "job")];
            let found = counts.join(", ");
            findings.push(ok("files", found));
            Some(catalog)
        }
        Err(problems) => {
            let found = count(problems.0.len(), "mistake");
            findings.push(missing("files", found, Some("`turnus check` shows them".to_owned())));
            None
        }
    }
}

async fn look_at_programs(findings: &mut Vec<Finding>) {
    let programs = [
        ("ssh", ["-V"].as_slice(), "apt install openssh-client"),
        // It has no version of its own; asking for the hash of nothing makes nothing.
        ("ssh-keygen", ["-l", "-f", "/dev/null"].as_slice(), "apt install openssh-client"),
        ("setsid", ["--version"].as_slice(), "apt install util-linux; steps on the controller need it"),
    ];
    for (program, arguments, hint) in programs {
        findings.push(match config::describe_program(program, arguments).await {
            Some(_) if program == "ssh-keygen" => ok(program, "found"),
            Some(version) => ok(program, version),
            None => missing(program, "not found", Some(hint.to_owned())),
        });
    }
}

/// The identity files that the inventory names. Keys of an agent and of the user's ssh_config show when connecting.
fn look_at_keys(catalog: &Catalog, findings: &mut Vec<Finding>) {
    let connections = catalog.customers.values().flat_map(|customer| &customer.hosts).map(|host| &host.connection);
    let mut files: Vec<&str> = connections.filter_map(identity_file).collect();
    files.extend(catalog.settings.ssh.identity_file.as_deref());
    files.sort_unstable();
    files.dedup();
    if files.is_empty() {
        findings
            .push(ok("keys", "the inventory names none: those of ssh_config, of the agent, or ~/.ssh/id_* are used"));
    }
    for file in files {
        findings.push(match config::look_at_private_file(file) {
            Ok(()) => ok("keys", file),
            Err(error) => missing("keys", error.to_string(), error.hint()),
        });
    }
}

fn identity_file(connection: &Connection) -> Option<&str> {
    connection.identity_file.as_deref()
}

fn look_at_state_dir(state_dir: &Path) -> Finding {
    match config::look_at_state_dir(state_dir) {
        Ok(true) => ok("state", state_dir.display().to_string()),
        Ok(false) => ok("state", format!("{} will be made at first use", state_dir.display())),
        Err(error) => missing("state", error.to_string(), error.hint()),
    }
}

async fn look_at_database(settings: &Settings, state_dir: &Path, findings: &mut Vec<Finding>) {
    if settings.database == Database::Private && !look_at_cluster(state_dir, findings).await {
        return;
    }
    match open_store(&settings.database, state_dir).await {
        Ok(store) => {
            findings.push(look_at_health(&store).await);
            look_at_controllers(&store, findings).await;
            look_at_faults(&store, findings).await;
            look_at_outbox(settings, &store, findings).await;
            if let Err(error) = store.close().await {
                let hint = error.hint();
                findings.push(missing("database", error.to_string(), hint));
            }
        }
        Err(failure) => findings.push(missing("database", failure.to_string(), failure.into_hint())),
    }
}

/// Whether there is a private cluster to be opened. One that is not there yet is not made by looking.
async fn look_at_cluster(state_dir: &Path, findings: &mut Vec<Finding>) -> bool {
    let facts = match Cluster::inspect(state_dir).await {
        Ok(facts) => facts,
        Err(error) => {
            let hint = error.hint();
            findings.push(missing("database", error.to_string(), hint));
            return false;
        }
    };
    let binaries = match &facts.binaries {
        Ok(binaries) => format!("PostgreSQL {} in {}", binaries.version, binaries.directory.display()),
        Err(error) => {
            findings.push(missing("database", error.to_string(), error.hint()));
            return false;
        }
    };
    let state = match (facts.data_major, facts.running) {
        (None, _) => "will be made at first use",
        (Some(_), true) => "running",
        (Some(_), false) => "started on demand",
    };
    findings.push(ok("database", format!("private cluster in {}, {binaries}, {state}", facts.directory.display())));
    facts.data_major.is_some()
}

async fn look_at_health(store: &Store) -> Finding {
    let asked_at = Timestamp::now();
    let health = async {
        let mut transaction = store.begin().await?;
        read_health(&mut transaction).await
    }
    .await;
    let health = match health {
        Ok(health) => health,
        Err(error) => return missing("database", error.to_string(), error.hint()),
    };
    let apart_s = health.now.duration_since(asked_at).as_secs_f64().abs();
    if health.read_only {
        return missing("database", "it can be read but not written", Some("is it a standby?".to_owned()));
    }
    if apart_s > CLOCK_TOLERANCE_S {
        return warning(
            "database",
            format!("its clock and this machine's are {apart_s:.1} s apart"),
            "leases go by the database's clock, times in reports by this machine's: keep both with NTP",
        );
    }
    ok("database", format!("PostgreSQL {}, writable, clocks agree", health.server_version))
}

/// The daemons that share the database, and how each of their ticks fares.
async fn look_at_controllers(store: &Store, findings: &mut Vec<Finding>) {
    let controllers = async {
        let mut transaction = store.begin().await?;
        list_controllers(&mut transaction).await
    }
    .await;
    match controllers {
        Ok(controllers) if controllers.is_empty() => findings.push(ok("daemons", "none; `turnus serve` is one")),
        Ok(controllers) => findings.extend(controllers.iter().map(describe_controller)),
        Err(error) => findings.push(missing("daemons", error.to_string(), error.hint())),
    }
}

/// Customers that were applied, and that the daemons can't use.
async fn look_at_faults(store: &Store, findings: &mut Vec<Finding>) {
    let faults = async {
        let mut transaction = store.begin().await?;
        list_faults(&mut transaction).await
    }
    .await;
    let hint = "put its files right and apply them; until then none of its windows opens";
    match faults {
        Ok(faults) => {
            let told =
                faults.into_iter().map(|(customer, fault)| warning("customers", format!("{customer}: {fault}"), hint));
            findings.extend(told);
        }
        Err(error) => findings.push(missing("customers", error.to_string(), error.hint())),
    }
}

/// Messages that wait or can't be delivered.
async fn look_at_outbox(settings: &Settings, store: &Store, findings: &mut Vec<Finding>) {
    let overview = async {
        let mut transaction = store.begin().await?;
        read_overview(&mut transaction).await
    }
    .await;
    match overview {
        Ok(overview) => findings.extend(describe_outbox(settings, &overview)),
        Err(error) => findings.push(missing("messages", error.to_string(), error.hint())),
    }
}

fn describe_outbox(settings: &Settings, overview: &Overview) -> Vec<Finding> {
    let Overview { waiting, waiting_since, failing, last_error, undeliverable } = overview;
    let since = waiting_since.map(|at| format!(", the oldest since {}", moment(at))).unwrap_or_default();
    let mut findings = Vec::new();
    if settings.mail.is_none() {
        let hint = "say in `[mail]` of turnus.toml how they leave; `turnus outbox cancel N` for those that shall not";
        findings.push(warning("messages", format!("nothing says where they go: {waiting} wait{since}"), hint));
    } else if *failing > 0 {
        let error = last_error.as_deref().unwrap_or_default();
        let found = format!("{failing} of {waiting} could not be sent{since}: {error}");
        findings.push(warning("messages", found, "`turnus outbox list --state due` lists them; they are tried again"));
    } else {
        findings.push(ok("messages", format!("{waiting} to be sent{since}")));
    }
    if *undeliverable > 0 {
        let hint = "`turnus outbox list --state undeliverable` lists them; put the address right and `turnus outbox retry N`, or \
                    `turnus outbox cancel N`";
        findings.push(warning("messages", format!("{undeliverable} can't be delivered"), hint));
    }
    findings
}

fn describe_controller(controller: &StoredController) -> Finding {
    let StoredController { name, version, silent_s, .. } = controller;
    if *silent_s >= detach::SILENT_S {
        let found =
            format!("{name}, turnus {version}: last heard of {silent_s:.0} s ago, at {}", moment(controller.seen_at));
        return warning(
            "daemons",
            found,
            "others take over its runs; start it again, or see its log for why it stopped",
        );
    }
    let failing = controller.ticks.iter().filter(|(_, health)| health.failures_in_row > 0);
    let failures: Vec<_> = failing
        .map(|(tick, health)| {
            let error = health.last_error.as_deref().unwrap_or_default();
            format!("{tick} failed {} times in a row: {error}", health.failures_in_row)
        })
        .collect();
    if failures.is_empty() {
        return ok("daemons", format!("{name}, turnus {version}: every tick works"));
    }
    warning("daemons", format!("{name}, turnus {version}: {}", failures.join("; ")), "its log has the details")
}

async fn look_at_clock() -> Finding {
    let arguments = ["show", "--property=NTPSynchronized", "--value"];
    match config::describe_program("timedatectl", &arguments).await.as_deref() {
        Some("yes") => ok("clock", "kept by NTP"),
        Some("no") => warning("clock", "not kept by NTP", "timedatectl set-ntp true"),
        _ => ok("clock", format!("{}; whether NTP keeps it can't be told here", Timestamp::now())),
    }
}
