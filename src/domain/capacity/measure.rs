//! The shell text that measures a host, and what its answer means.
//!
//! In: arguments, never pasted text (G9). What a host says is data: a line that makes no sense is no disk, never a wrong one.

use super::{Disk, Fill, Measurement, Memory, Unmeasured};
use crate::domain::line::clean_line;
use crate::domain::packages::Sections;

/// Arguments: `measure NONCE LENGTH`, and the watched paths.
#[must_use]
pub fn script() -> &'static str {
    include_str!("measure.sh")
}

/// More disks than these a host does not have.
const MAX_DISKS: usize = 200;
/// Longest path and longest text of why there is no number, in characters.
const PATH_CHARS: usize = 1024;
const WHY_CHARS: usize = 300;
/// What `timeout` and the shell report of a command that was killed when its time was over.
const OVERDUE: [&str; 2] = ["137", "124"];

/// Reads the answer of the script.
#[must_use]
pub fn parse(sections: &Sections) -> Measurement {
    let mut measurement = Measurement { memory: parse_memory(sections.get("memory")), ..Measurement::default() };
    for number in 0..MAX_DISKS {
        let Some((kind, path)) = sections.get(&format!("path.{number}")).trim_end_matches('\n').split_once(' ') else {
            break;
        };
        let path = clean_line(path.as_bytes(), PATH_CHARS);
        match parse_disk(sections, number, &path) {
            Ok(disk) => measurement.disks.push(disk),
            Err(why) if kind == "watched" => measurement.unmeasured.push(Unmeasured { path, why }),
            // Nobody asked for it by name: a drive that was taken out, say.
            Err(_) => {}
        }
    }
    keep_first_of_each(&mut measurement.disks);
    measurement
}

fn parse_disk(sections: &Sections, number: usize, path: &str) -> Result<Disk, String> {
    let failed = sections.get(&format!("failed.{number}"));
    if !failed.is_empty() {
        return Err(explain(failed));
    }
    let text = sections.get(&format!("space.{number}"));
    let row = Row::parse(text).ok_or_else(|| format!("df says {}", clean_line(text.as_bytes(), WHY_CHARS)))?;
    let space = row.fill(1024).ok_or_else(|| "its file system has no size".to_owned())?;
    let inodes = Row::parse(sections.get(&format!("inodes.{number}"))).and_then(|row| row.fill(1));
    Ok(Disk { path: path.to_owned(), mount: clean_line(row.mount.as_bytes(), PATH_CHARS), space, inodes })
}

fn explain(failed: &str) -> String {
    let (status, said) = failed.split_once([' ', '\n']).unwrap_or((failed, ""));
    if OVERDUE.contains(&status.trim()) {
        return "no answer within 10 s: its file system hangs".to_owned();
    }
    // busybox prints the heading before it finds out.
    let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("Filesystem")).collect();
    match clean_line(said.join(" ").as_bytes(), WHY_CHARS) {
        said if said.is_empty() => format!("df ended with status {}", status.trim()),
        said => said,
    }
}

/// The one row that df prints of a path.
struct Row {
    total: Option<u64>,
    free: Option<u64>,
    mount: String,
}

impl Row {
    /// The columns are found from the one with the percent sign: before it stand three numbers, behind it the mount point, which may
    /// hold blanks as the device may; where the device is long, older ones break the line behind it.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip_while(|line| !line.starts_with("Filesystem"));
        lines.next()?;
        let row = lines.collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = row.split_whitespace().collect();
        let is_number = |word: &str| word == "-" || word.parse::<i128>().is_ok();
        let is_percentage = |word: &str| word == "-" || word.strip_suffix('%').is_some_and(is_number);
        let numbers = |column: usize| words.get(column.checked_sub(3)?..column);
        let column = (4..words.len()).find(|&column| {
            is_percentage(words[column])
                && numbers(column).is_some_and(|words| words.iter().all(|word| is_number(word)))
        })?;
        let [total, _, free] = numbers(column)? else { return None };
        // Root may go below what is reserved: then the number is negative, and nothing is left for others.
        let number =
            |word: &str| word.parse::<i128>().ok().map(|count| u64::try_from(count.max(0)).unwrap_or(u64::MAX));
        let mount = words.get(column + 1..).filter(|words| !words.is_empty())?.join(" ");
        Some(Self { total: number(total), free: number(free), mount })
    }

    /// Nothing where there is no number, or nothing in all: no limit, or no disk.
    fn fill(&self, unit: u64) -> Option<Fill> {
        let total = self.total.filter(|total| *total > 0)?.saturating_mul(unit);
        Some(Fill { total, free: self.free?.saturating_mul(unit).min(total) })
    }
}

/// `/proc/meminfo`, of Linux 3.14 and later.
fn parse_memory(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Memory { total_bytes: bytes("MemTotal")?, available_bytes: bytes("MemAvailable")? })
}

fn keep_first_of_each(disks: &mut Vec<Disk>) {
    let mut seen = std::collections::BTreeSet::new();
    disks.retain(|disk| seen.insert(disk.path.clone()));
}

#[cfg(test)]
mod tests;
