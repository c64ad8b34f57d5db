//! Messages of SIP (RFC 3261, section 7): one that asks, and those that may answer it.

use crate::domain::probe::Transport;
use crate::edge::probe::{excerpt, host_of};

#[cfg(test)]
mod tests;

/// A question that no other has asked.
pub(super) struct Request {
    transport: Transport,
    /// `host:port`, or a name.
    own: String,
    uri: String,
    /// 128 random bits as hexadecimal digits.
    token: String,
}

/// A status line that belongs to the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: String,
}

impl Answer {
    /// Not a word that more will come (section 8.1.3.2).
    pub(super) fn is_final(&self) -> bool {
        self.status >= 200
    }
}

impl Request {
    /// From `own` address about `uri`.
    pub(super) fn new(transport: Transport, own: String, uri: String) -> Result<Self, String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { transport, own, uri, token })
    }

    /// As it goes over the line (section 11.1). It is the same each time that it is sent.
    pub(super) fn text(&self) -> String {
        let Self { own, uri, .. } = self;
        let (transport, branch, call_id) = (self.transport.word().to_ascii_uppercase(), self.branch(), self.call_id());
        let tag = &self.token[..16];
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {own};rport;branch={branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:turnus@{own}>;tag={tag}\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
             Contact: <sip:turnus@{own}>\r\nAccept: application/sdp\r\nUser-Agent: turnus/{version}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    /// Begins as section 8.1.1.7 wants it.
    fn branch(&self) -> String {
        format!("z9hG4bK{}", self.token)
    }

    fn call_id(&self) -> String {
        format!("{}@{}", self.token, host_of(&self.own))
    }

    /// Reads a whole message. It must be an answer, and to this request: by its only `Via`, its `Call-ID` and its `CSeq` (sections
    /// 8.1.3.3 and 17.1.3).
    pub(super) fn read_answer(&self, message: &[u8]) -> Result<Answer, String> {
        let refuse = |why: &str| format!("expected an answer to OPTIONS, found `{}`: {why}", excerpt(message));
        let text = String::from_utf8_lossy(message);
        let (line, headers) = split(&text);
        let answer = read_status(line).ok_or_else(|| refuse("it does not begin with a status"))?;
        let vias: Vec<_> = values(&headers, "via", "v").flat_map(|value| value.split(',')).collect();
        let [via] = vias.as_slice() else { return Err(refuse("it has no `Via`, or more than one")) };
        if parameter(via, "branch") != Some(self.branch().as_str()) {
            return Err(refuse("its `Via` is of another request"));
        }
        if !values(&headers, "call-id", "i").eq([self.call_id()]) {
            return Err(refuse("its `Call-ID` is of another request"));
        }
        let sequence: Vec<_> = values(&headers, "cseq", "cseq").flat_map(str::split_whitespace).collect();
        if sequence != ["1", "OPTIONS"] {
            return Err(refuse("its `CSeq` is of another request"));
        }
        Ok(answer)
    }
}

/// Length of the first message in a stream, with its body; none if it is not all there. Without `Content-Length`, which streams
/// must have, there is no body (section 18.3).
pub(super) fn whole_length(come: &[u8]) -> Option<usize> {
    // Empty lines before a message mean nothing (section 7.5).
    let begin = come.iter().position(|byte| !b"\r\n".contains(byte))?;
    let head = come[begin..].windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&come[begin..begin + head]);
    let (_, headers) = split(&text);
    let body = values(&headers, "content-length", "l").next().and_then(|value| value.parse::<usize>().ok());
    let length = begin.checked_add(head)?.checked_add(body.unwrap_or(0))?;
    (length <= come.len()).then_some(length)
}

/// First line, and the headers by name; a value that goes on in the next line is one (section 7.3.1).
fn split(message: &str) -> (&str, Vec<(&str, String)>) {
    let message = message.trim_start_matches(['\r', '\n']);
    let head = message.split_once("\r\n\r\n").map_or(message, |(head, _)| head);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut headers: Vec<(&str, String)> = Vec::new();
    for line in lines {
        if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
            value.push(' ');
            value.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim(), value.trim().to_owned()));
        }
    }
    (first, headers)
}

/// Of all headers of this name, or of its short form.
fn values<'h>(headers: &'h [(&str, String)], name: &str, short: &str) -> impl Iterator<Item = &'h str> {
    headers
        .iter()
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name) || found.eq_ignore_ascii_case(short))
        .map(|(_, value)| value.as_str())
}

fn read_status(line: &str) -> Option<Answer> {
    let (version, rest) = line.split_once(' ')?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status = status.parse().ok().filter(|status| is_status && (100..=699).contains(status))?;
    version.eq_ignore_ascii_case("SIP/2.0").then(|| Answer { status, reason: reason.to_owned() })
}

/// What stands after `name=` between semicolons.
fn parameter<'v>(value: &'v str, name: &str) -> Option<&'v str> {
    let pairs = value.split(';').skip(1).filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.trim(), value.trim()))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
