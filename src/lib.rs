//! turnus keeps the maintenance promises that an IT service provider makes to its customers: in the agreed window servers are
//! backed up, then updated, then smoke-tested over SSH, and the customer gets a written report.
//!
//! # Bird's-eye view
//!
//! Three layers, one direction: [`app`] → [`edge`] → [`domain`].
//!
//! - [`domain`] is what turnus knows: names, inventories, jobs, plans, the life of a run, reports. Synchronous, without I/O,
//!   clock or randomness; tested exhaustively without any.
//! - [`edge`] are the foreign worlds, one module each: files and environment, Postgres, hosts, probes, texts, mail. No edge knows
//!   another; what several need to start programs is below them, in `child`.
//! - [`app`] are the roles that a process plays: the controller that drives runs, the daemon that opens them in their time, the
//!   pages on which customers answer, and the command line.
//!
//! # A run, step by step
//!
//! 1. `turnus run nordwind debian-quarterly` reads all files ([`edge::config`]), parses them and resolves what they say of each
//!    other ([`domain::catalog`]); every mistake is told at once, and then nothing happens.
//! 2. [`domain::plan::build()`] freezes what will happen: hosts, batches, steps with the text that will run. The plan has a hash and
//!    leaves nothing to choose.
//! 3. The run is stored with its plan; a unique index sees to it that a host is in one unfinished run only
//!    ([`edge::store::run`]).
//! 4. A controller takes the run's lease, which carries an *epoch* ([`edge::store::lease`]), and starts the
//!    [`app::controller::driver`].
//! 5. The driver feeds events to the [`domain::run::machine`], which answers with events to store and effects to carry out. Both go
//!    into one transaction and out into the world in this order: *started* is stored before the command goes out.
//! 6. A step runs in a *capsule* on its host ([`edge::remote::capsule`]): started at most once, fenced by epoch, followed over a
//!    connection that may break. Its output and its end come back as events.
//! 7. The end of the run is a fold over its record ([`domain::run::state`]), and so is the report ([`domain::report`]), which
//!    [`edge::text`] renders.
//!
//! # A date, from rule to promise
//!
//! 1. `turnus apply` joins what the files say of customers, windows, freezes, holidays and zones ([`app::calendar`]), and dates every
//!    window as far ahead as the horizon reaches ([`domain::calendar::dating`]): each date held or left out, with its reasons.
//! 2. [`domain::calendar::changes`] compares them with the stored dates. What nobody was told of follows the files; what a customer
//!    was told changes only by a person's explicit yes, and what a person chose stays.
//! 3. [`app::calendar::publish`] stores files, contacts, dates, messages and audit trail in one transaction. Every row is found as the
//!    person saw it, or nothing holds.
//! 4. The daemon goes on day by day ([`app::daemon::materialise`]), announces what comes near ([`app::daemon::announce`]), and works
//!    from what was applied only.
//!
//! # An occurrence, from due to done
//!
//! 1. `turnus serve` looks every two seconds, by the database's clock, at what is due ([`app::daemon::open`]).
//! 2. [`domain::plan::may_start`] says what stands against its beginning, if anything: then it waits, with the cause in its row, until
//!    its latest start, and is missed after that.
//! 3. Otherwise one transaction holds all of it: the run with its plan, its hosts and the lease of this controller, the occurrence
//!    that is now open, the messages to those who are told, a line in the audit trail.
//! 4. The run is driven as any other. Its plan knows the window: the machine begins no host for which there is not enough time.
//! 5. The end of the run closes the occurrence, in the transaction of its last event.
//!
//! # An update, from list to account
//!
//! 1. So long before an occurrence as its window says, the daemon collects what is pending on its hosts ([`app::review`]): texts that
//!    are sent to the host ask its package manager, parsers beside them read the answer ([`domain::packages`]).
//! 2. A named person decides on exactly that list ([`domain::review`]). The decision goes into the plan, and is hashed with it.
//! 3. Before anything is touched on a host, the run takes its list anew, chooses what was approved and is still to be had as it was
//!    approved ([`domain::packages::choose`]), and asks the package manager what installing that would really do. What would bring
//!    anything unapproved is left; a host on which nothing approved is left is held back.
//! 4. The versions that will be replaced are kept with the backup. The step that installs makes sure once more, on the host, that it
//!    would do what was looked at, and nothing else.
//! 5. At the end, whatever came of it, the host is looked at again: what counts is what is installed ([`domain::packages::account`]).
//!
//! # A disk, from look to warning
//!
//! 1. A run measures the hosts on which something is watched before it touches them, and the daemons measure them once a day
//!    ([`app::capacity`]): one text is sent to the host, which writes nothing there ([`domain::capacity::measure`]).
//! 2. Each look is kept ([`edge::store::capacity`]): of the daily ones one a host, whoever else looks.
//! 3. [`mod@domain::capacity::forecast`] draws a line through what was measured, which single odd days do not bend.
//! 4. In the same transaction the team is told of what is full, or will be before long: once until it is better again.
//!
//! # A letter, from link to answer
//!
//! 1. A letter has a link of its own, and a code ([`edge::store::link`]). The database keeps hashes of both.
//! 2. `turnus serve` shows what is behind it ([`app::web`]): the date or the report, and what was said of it. GET changes nothing.
//! 3. An answer with the right code is kept in one transaction with what follows ([`edge::store::answer`]): a report has one, and so
//!    has a date as it was announced; the unique index decides between two.
//! 4. Silence is counted in working days ([`domain::answer`]): it is reminded of once, and counts as yes only where the provider has it
//!    so ([`app::daemon::acceptance`]).
//!
//! # A message, from cause to mailbox
//!
//! 1. It is a row, made in the transaction of its cause: one for each event and recipient ([`edge::store::notification`]).
//! 2. A pass takes what is due, one message at a time and counted before anything goes out ([`app::post`]); what would come too late by
//!    then is left ([`domain::notification::overtaken`]).
//! 3. What it is about is read in one transaction and becomes what the mail tells ([`domain::mail`]), the mail becomes words
//!    ([`edge::text`]), and these a letter, with an entry for the calendar ([`edge::ics`]) and the report.
//! 4. [`edge::mail`] hands it over, with no transaction open. That the mail server has it is stored before the next one goes out; what
//!    it does not take waits by [`domain::notification::patience`], or is given up and told to the team.
//!
//! # What holds
//!
//! - **Two guards against doing something twice.** The record: its key `(run, seq)` and the epoch in every write stop a controller
//!   that has lost its lease. The host: the capsule's token can be made once, and not at all for an older epoch.
//! - **The record is the truth.** A restart replays it. State in columns is a cache, written in the same transaction.
//! - **An error is not a failure.** A step that failed is an outcome; what can't be told is *unknown*, and only another look at the
//!   capsule or a person ends that. Nothing that may have been started is started again.
//! - **What was stopped is started again**: the machine has no way to finish a host before what was quiesced is released.
//! - **No update unreviewed**: what a run chooses was approved, by name, in that version and from that repository.
//! - **No update without a verified backup**: by the files' check, by the plan's order, and by the machine itself.
//! - **A message is one message**, however often it is sent: whoever dies with it leaves a lease that lapses, and it keeps its Message-ID.
//! - **Values are data.** They reach a host as environment variables; output of hosts is cleaned before a person sees it.

pub mod app;
mod child;
pub mod domain;
pub mod edge;
