//! The language in which the capsule answers: lines, some of them followed by counted bytes. Pure and incremental.
//!
//! Knows the shape of answers; does not know what they are for. Anything before the line with the nonce was printed
//! by start-up files of the account and is set aside. A byte count is trusted, so output may hold any bytes.

/// One thing that the capsule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// The run's directory on the host.
    Home(String),
    /// A step that was started there.
    Token(String),
    /// The step was started now, under this boot id.
    Started(String),
    /// The step had been started before.
    Attached {
        /// Boot id when it was started.
        booted: String,
        /// Boot id now.
        now: String,
    },
    /// Part of the log, in order.
    Log {
        /// Position of the first byte in all of the output.
        offset: u64,
        /// As they were printed.
        bytes: Vec<u8>,
    },
    /// Part of the end of an output that was too long.
    Tail {
        /// Position of the first byte in all of the output.
        offset: u64,
        /// How many bytes were left out before the tail.
        omitted: u64,
        /// As they were printed.
        bytes: Vec<u8>,
    },
    /// `key=value` lines.
    Facts(Vec<u8>),
    /// What a command on the host printed, whole.
    Section {
        /// Which command.
        name: String,
        /// As it was printed.
        bytes: Vec<u8>,
    },
    /// The time limit passed while a package manager works.
    Overdue,
    /// Bytes of output in all.
    Total(u64),
    /// The exit status.
    Exit {
        /// 0 to 255.
        status: i32,
        /// Whether the capsule ended the step because its time was up.
        timed_out: bool,
    },
    /// No process and no exit status.
    Lost,
    /// The step's record was cleaned away.
    Gone,
    /// The host was restarted meanwhile.
    Rebooted,
    /// Another epoch holds the run.
    Fenced(i64),
    /// There is no record of the run, or of the step.
    Vanished,
    /// Nothing was done, and why.
    Refused(String),
    /// The boot id.
    Boot(String),
    /// Nothing more will come.
    End,
}

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unexpected answer `{0}`")]
pub(super) struct Malformed(String);

/// The longest line that the capsule may say.
const LINE_LIMIT: usize = 8 * 1024;
/// How much of what comes before the first frame is kept, to say what came instead of an answer.
const PREAMBLE_LIMIT: usize = 4 * 1024;
/// Facts are collected before they are handed on; the capsule sends at most 64 KiB.
const FACTS_LIMIT: u64 = 64 * 1024;
/// So are sections; lists of packages take some 100 bytes for each of some thousands.
const SECTION_LIMIT: u64 = 16 * 1024 * 1024;

enum State {
    Preamble,
    Line,
    Log { offset: u64, left: u64 },
    Tail { offset: u64, omitted: u64, left: u64 },
    Facts { left: u64 },
    Section { name: String, left: u64 },
}

/// Turns bytes, cut anywhere, into frames.
pub(super) struct Parser {
    marker: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
}

impl Parser {
    /// For the answer to the command that was given `nonce`.
    pub(super) fn new(nonce: &str) -> Self {
        Self { marker: format!("turnus:{nonce}\n").into_bytes(), buffer: Vec::new(), state: State::Preamble }
    }

    /// Takes in what was read.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What came in place of an answer; none once the answer has begun.
    pub(super) fn preamble(&self) -> Option<&[u8]> {
        matches!(self.state, State::Preamble).then_some(&self.buffer)
    }

    /// The next frame, if enough has come in. Counted bytes are handed on as they come, in parts.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        loop {
            match self.state {
                State::Preamble => {
                    if !self.skip_preamble() {
                        return Ok(None);
                    }
                }
                State::Line => match self.take_line()? {
                    None => return Ok(None),
                    Some(line) => {
                        if let Some(frame) = self.read_line(&line)? {
                            return Ok(Some(frame));
                        }
                    }
                },
                State::Log { left: 0, .. } | State::Tail { left: 0, .. } => self.state = State::Line,
                State::Log { offset, left } => {
                    let Some(bytes) = self.take_part(left) else { return Ok(None) };
                    let taken = bytes.len() as u64;
                    self.state = State::Log { offset: offset + taken, left: left - taken };
                    return Ok(Some(Frame::Log { offset, bytes }));
                }
                State::Tail { offset, omitted, left } => {
                    let Some(bytes) = self.take_part(left) else { return Ok(None) };
                    let taken = bytes.len() as u64;
                    self.state = State::Tail { offset: offset + taken, omitted, left: left - taken };
                    return Ok(Some(Frame::Tail { offset, omitted, bytes }));
                }
                State::Facts { left } => {
                    let Some(bytes) = self.take_whole(left) else { return Ok(None) };
                    self.state = State::Line;
                    return Ok(Some(Frame::Facts(bytes)));
                }
                State::Section { ref name, left } => {
                    let name = name.clone();
                    let Some(bytes) = self.take_whole(left) else { return Ok(None) };
                    self.state = State::Line;
                    return Ok(Some(Frame::Section { name, bytes }));
                }
            }
        }
    }

    fn skip_preamble(&mut self) -> bool {
        let found = self.buffer.windows(self.marker.len()).position(|window| window == self.marker);
        if let Some(position) = found {
            self.buffer.drain(..position + self.marker.len());
            self.state = State::Line;
        } else if self.buffer.len() > PREAMBLE_LIMIT {
            self.buffer.drain(..self.buffer.len() - PREAMBLE_LIMIT);
        }
        found.is_some()
    }

    fn take_line(&mut self) -> Result<Option<String>, Malformed> {
        let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
            if self.buffer.len() > LINE_LIMIT {
                return Err(malformed(&self.buffer));
            }
            return Ok(None);
        };
        let line: Vec<u8> = self.buffer.drain(..=end).take(end).collect();
        String::from_utf8(line).map(Some).map_err(|error| malformed(error.as_bytes()))
    }

    fn take_part(&mut self, left: u64) -> Option<Vec<u8>> {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
        (length > 0 || left == 0).then(|| self.buffer.drain(..length).collect())
    }

    fn take_whole(&mut self, length: u64) -> Option<Vec<u8>> {
        if (self.buffer.len() as u64) < length { None } else { self.take_part(length) }
    }

    /// A frame, or none if the line only announces counted bytes.
    fn read_line(&mut self, line: &str) -> Result<Option<Frame>, Malformed> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let frame = match (word, fields.as_slice()) {
            ("", []) => return Ok(None),
            ("log", [offset, left]) => {
                self.state = State::Log { offset: number(offset, line)?, left: number(left, line)? };
                return Ok(None);
            }
            ("tail", [offset, omitted, left]) => {
                let (offset, omitted) = (number(offset, line)?, number(omitted, line)?);
                self.state = State::Tail { offset, omitted, left: number(left, line)? };
                return Ok(None);
            }
            ("facts", [left]) => {
                let left = number(left, line)?;
                if left > FACTS_LIMIT {
                    return Err(malformed(line.as_bytes()));
                }
                self.state = State::Facts { left };
                return Ok(None);
            }
            ("section", [name, left]) => {
                let left = number(left, line)?;
                if left > SECTION_LIMIT {
                    return Err(malformed(line.as_bytes()));
                }
                self.state = State::Section { name: (*name).to_owned(), left };
                return Ok(None);
            }
            ("home", _) => Frame::Home(rest.to_owned()),
            ("token", _) => Frame::Token(rest.to_owned()),
            ("refused", _) => Frame::Refused(rest.to_owned()),
            ("started", [booted, _]) => Frame::Started((*booted).to_owned()),
            ("attached", [booted, now]) => Frame::Attached { booted: (*booted).to_owned(), now: (*now).to_owned() },
            ("total", [total]) => Frame::Total(number(total, line)?),
            ("rc", [status, timed_out]) => {
                Frame::Exit { status: number(status, line)?, timed_out: *timed_out == "yes" }
            }
            ("fenced", [newer]) => Frame::Fenced(number(newer, line)?),
            ("boot", [id]) => Frame::Boot((*id).to_owned()),
            ("overdue", []) => Frame::Overdue,
            ("lost", []) => Frame::Lost,
            ("gone", []) => Frame::Gone,
            ("rebooted", []) => Frame::Rebooted,
            ("vanished", []) => Frame::Vanished,
            ("end", []) => Frame::End,
            _ => return Err(malformed(line.as_bytes())),
        };
        Ok(Some(frame))
    }
}

fn number<T: std::str::FromStr>(text: &str, line: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| malformed(line.as_bytes()))
}

fn malformed(bytes: &[u8]) -> Malformed {
    Malformed(String::from_utf8_lossy(bytes).escape_debug().take(80).collect())
}

#[cfg(test)]
mod tests;
