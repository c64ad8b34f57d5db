//! Hides the values of secrets in what a step prints. Pure and incremental; every byte keeps its place.
//!
//! Knows bytes; does not know where they come from or go. Invariant: what is handed out never holds a secret, nor the
//! first part of one whose rest may still come, nor a part that was cut off at the border of what was left out.

/// Bytes that may be shown, and where in all of the output they stand.
pub(super) type Shown = Option<(u64, Vec<u8>)>;

/// What lies beyond a border of the bytes that are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// Nothing: the output begins or ends here, or what was before was handed out whole.
    Clean,
    /// Output that was left out: part of a secret may stand on this side.
    Cut,
}

/// Replaces secrets by as many `*`.
pub(super) struct Mask {
    secrets: Vec<Vec<u8>>,
    /// Bytes that can't be shown yet, beginning at `offset`.
    held: Vec<u8>,
    /// Which of them belong to a secret.
    hidden: Vec<bool>,
    offset: u64,
    begins: Border,
}

impl Mask {
    /// For output whose first byte will be the one at `offset`.
    pub(super) fn new<S: AsRef<[u8]>>(secrets: &[S], offset: u64) -> Self {
        let secrets = secrets.iter().map(|secret| secret.as_ref().to_vec()).filter(|secret| !secret.is_empty());
        Self { secrets: secrets.collect(), held: Vec::new(), hidden: Vec::new(), offset, begins: Border::Clean }
    }

    /// Hides secrets in a text that is complete.
    pub(super) fn hide(secrets: &[String], bytes: &[u8]) -> Vec<u8> {
        let mut mask = Self::new(secrets, 0);
        let mut shown = mask.push(bytes).map(|(_, bytes)| bytes).unwrap_or_default();
        shown.extend(mask.finish(Border::Clean).map(|(_, bytes)| bytes).unwrap_or_default());
        shown
    }

    /// Where the next byte that is pushed stands in all of the output.
    pub(super) fn next_offset(&self) -> u64 {
        self.offset + self.held.len() as u64
    }

    /// Goes on behind a part that was left out. Call [`Mask::finish`] first.
    pub(super) fn skip_to(&mut self, offset: u64) {
        self.offset = offset;
        self.begins = Border::Cut;
    }

    /// Takes in the next bytes; gives out what is safe to show.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Shown {
        self.held.extend_from_slice(bytes);
        self.hidden.resize(self.held.len(), false);
        let longest = self.secrets.iter().map(Vec::len).max().unwrap_or(0);
        if self.begins == Border::Cut && self.held.len() < longest {
            return None;
        }
        self.hide_whole_secrets();
        let kept = self.unfinished();
        self.give_out(self.held.len() - kept)
    }

    /// Gives out what was held back; nothing more of this stretch will come.
    pub(super) fn finish(&mut self, ends: Border) -> Shown {
        self.hide_whole_secrets();
        if ends == Border::Cut {
            let kept = self.unfinished();
            let from = self.held.len() - kept;
            self.hidden.iter_mut().skip(from).for_each(|hidden| *hidden = true);
        }
        self.give_out(self.held.len())
    }

    fn hide_whole_secrets(&mut self) {
        for secret in &self.secrets {
            if self.begins == Border::Cut {
                let rest = (1..secret.len()).find(|&from| self.held.starts_with(&secret[from..]));
                let length = rest.map_or(0, |from| secret.len() - from);
                self.hidden.iter_mut().take(length).for_each(|hidden| *hidden = true);
            }
            for (position, window) in self.held.windows(secret.len()).enumerate() {
                if window == secret {
                    self.hidden.iter_mut().skip(position).take(secret.len()).for_each(|hidden| *hidden = true);
                }
            }
        }
        if !self.held.is_empty() {
            self.begins = Border::Clean;
        }
    }

    /// How many bytes at the end may be the first part of a secret.
    fn unfinished(&self) -> usize {
        let of_one = |secret: &Vec<u8>| (1..secret.len()).rev().find(|&length| self.held.ends_with(&secret[..length]));
        self.secrets.iter().filter_map(of_one).max().unwrap_or(0)
    }

    fn give_out(&mut self, count: usize) -> Shown {
        if count == 0 {
            return None;
        }
        let offset = self.offset;
        self.offset += count as u64;
        let hidden: Vec<bool> = self.hidden.drain(..count).collect();
        let shown = self.held.drain(..count).zip(hidden).map(|(byte, hidden)| if hidden { b'*' } else { byte });
        Some((offset, shown.collect()))
    }
}

#[cfg(test)]
mod tests;
