//! A live line for each host in work: phase, step, elapsed time, last line of output. What is over scrolls up as plain lines.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::{describe, host_name, step_name};
use super::writer::{Piece, Writer};
use crate::domain::line::clean_line;
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::run::event::{Event, Recorded, StepEnd};
use crate::domain::run::state::Run;

/// More live lines than this would fill the terminal; further hosts show when they are done.
const LIVE_LINES: usize = 16;
/// So often the lines are drawn at most; each time costs as much as a dozen events of hosts.
const DRAWN_PER_S: u8 = 4;
const OUTPUT_CHARS: usize = 60;
const NOTICE_CHARS: usize = 2000;

/// A change of the live lines.
#[derive(Debug)]
pub(super) enum Live {
    /// A host is in work.
    Add { host: HostIndex, name: String },
    /// A step begins.
    Step { host: HostIndex, text: String },
    /// The step says something.
    Output { host: HostIndex, text: String },
    /// The host is done with.
    Remove { host: HostIndex },
    /// Nothing is in work any more.
    Clear,
}

impl Live {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Add { name: text, .. } | Self::Step { text, .. } | Self::Output { text, .. } => text.len(),
            Self::Remove { .. } | Self::Clear => 1,
        }
    }
}

/// Says what an event changes.
pub(super) fn event(writer: &Writer, run: &Run, recorded: &Recorded) {
    match &recorded.event {
        Event::HostStarted { host } => {
            let name = host_name(run.plan(), *host).to_owned();
            writer.write(Piece::Live(Live::Add { host: *host, name }));
        }
        Event::StepStarted { host, step } => {
            writer.offer(Piece::Live(Live::Step { host: *host, text: step_name(run.plan(), *step) }));
            return;
        }
        Event::HostFinished { host, .. } => writer.write(Piece::Live(Live::Remove { host: *host })),
        _ => {}
    }
    let is_success =
        |event: &Event| matches!(event, Event::StepFinished { result, .. } if result.end == StepEnd::Succeeded);
    if let Some(line) = describe(run, recorded).filter(|_| !is_success(&recorded.event)) {
        writer.write(Piece::Above(line));
    }
}

/// Shows the last line of output.
pub(super) fn output(writer: &Writer, run: &Run, host: HostIndex, step: StepIndex, bytes: &[u8]) {
    let last = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).rfind(|line| !line.is_empty());
    if let Some(last) = last {
        let text = format!("{}  {}", step_name(run.plan(), step), clean_line(last, OUTPUT_CHARS));
        writer.offer(Piece::Live(Live::Output { host, text }));
    }
}

/// Live lines on stderr.
#[derive(Debug)]
pub(super) struct Lines {
    lines: MultiProgress,
    hosts: BTreeMap<HostIndex, ProgressBar>,
}

impl Default for Lines {
    fn default() -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWN_PER_S);
        Self { lines: MultiProgress::with_draw_target(target), hosts: BTreeMap::new() }
    }
}

impl Lines {
    pub(super) fn change(&mut self, live: Live) {
        match live {
            Live::Add { host, name } => self.add(host, name),
            Live::Step { host, text } => {
                if let Some(line) = self.hosts.get(&host) {
                    line.reset_elapsed();
                    line.set_message(text);
                }
            }
            Live::Output { host, text } => {
                if let Some(line) = self.hosts.get(&host) {
                    line.set_message(text);
                }
            }
            Live::Remove { host } => {
                if let Some(line) = self.hosts.remove(&host) {
                    self.lines.remove(&line);
                }
            }
            Live::Clear => {
                self.hosts.clear();
                let _ = self.lines.clear();
            }
        }
    }

    fn add(&mut self, host: HostIndex, name: String) {
        if self.hosts.len() >= LIVE_LINES {
            return;
        }
        let line = self.lines.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<14}  {wide_msg} {elapsed}") {
            line.set_style(style);
        }
        line.set_prefix(name);
        line.set_message("connecting");
        line.enable_steady_tick(Duration::from_secs(1) / u32::from(DRAWN_PER_S));
        self.hosts.insert(host, line);
    }

    pub(super) fn print_above(&self, text: &str) {
        // A terminal that is gone is no reason to stop a run.
        let _ = self.lines.println(clean_line(text.as_bytes(), NOTICE_CHARS));
    }
}
