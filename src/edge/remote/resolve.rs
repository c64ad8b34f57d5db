//! What ssh_config(5) comes to for a machine, and whether the built-in transport understands all of it.
//!
//! Asks ssh itself (`ssh -G`), so that Include, Match, patterns and tokens mean what they always do. What turnus's own part of the
//! configuration comes to is asked once; whatever differs from that was said by somebody, and has to be understood. Where nothing in
//! the files tells hosts apart, one answer is good for all of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use wildmatch::WildMatch;

use super::error::{Error, excerpt};
use super::ssh_config::{Purpose, SshSettings, render};
use crate::child::Family;
use crate::domain::inventory::Connection;

/// What the built-in transport does, too.
const UNDERSTOOD: [&str; 17] = [
    "certificatefile",
    "connecttimeout",
    "globalknownhostsfile",
    "host",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "port",
    "proxyjump",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "setenv",
    "user",
    "userknownhostsfile",
];

/// What changes nothing: turnus overrides it, or it is about prompts, terminals, windows, or what ssh prints or writes down.
const WITHOUT_EFFECT: [&str; 25] = [
    "addkeystoagent",
    "controlpersist",
    "dynamicforward",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "hashknownhosts",
    "kbdinteractiveauthentication",
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "numberofpasswordprompts",
    "passwordauthentication",
    "remoteforward",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "updatehostkeys",
    "visualhostkey",
    "xauthlocation",
];

/// In the place of an address, where the question is whether hosts have all else in common.
const ANY_HOST: &str = "any-host.invalid";

/// For how long an answer is good: a daemon is not started anew because somebody edits a file.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// No answer of `ssh -G` takes longer, unless a program that the configuration runs hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// So many questions are asked at a time: one that takes its time (`Match exec`) keeps few others waiting.
const QUESTIONS: usize = 8;

/// Longest chain of jump hosts; a longer one is a circle.
const MAX_HOPS: usize = 8;

/// One machine, with everything that the built-in transport has to know to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Name or IP address to connect to.
    pub(super) hostname: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// Private keys that may be tried, in this order; not all of them need exist.
    pub(super) identities: Vec<PathBuf>,
    /// Certificates beside those that stand next to their keys.
    pub(super) certificates: Vec<PathBuf>,
    /// Whether the agent may only offer keys that are named here, too.
    pub(super) identities_only: bool,
    /// The socket of the agent.
    pub(super) agent: Option<PathBuf>,
    /// In seconds.
    pub(super) connect_timeout: Duration,
    /// Silence after which the server is asked for a sign of life; zero: never.
    pub(super) alive_interval: Duration,
    /// How many of these may stay unanswered.
    pub(super) alive_count: usize,
    /// In the order in which they are looked at.
    pub(super) known_hosts: Vec<PathBuf>,
    /// Under which name keys are looked up: `HostKeyAlias`.
    pub(super) key_alias: Option<String>,
    /// Variables to send along with commands.
    pub(super) environment: Vec<(String, String)>,
}

/// Why the built-in transport is not for a machine.
#[derive(Debug)]
pub(super) enum NoWay {
    /// The configuration asks for something that it does not know.
    Foreign(String),
    /// It could not be asked.
    Failed(Error),
}

impl From<Error> for NoWay {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Asks, and keeps what was answered.
#[derive(Debug)]
pub(super) struct Resolver {
    asking: Semaphore,
    own: OnceCell<Vec<Line>>,
    /// By the configuration text with [`ANY_HOST`] for the address; with when it was asked.
    answers: Mutex<HashMap<String, (Instant, Cell)>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { asking: Semaphore::new(QUESTIONS), own: OnceCell::default(), answers: Mutex::default() }
    }
}

/// Where an answer is, or will be for all who wait for it.
type Cell = Arc<OnceCell<Kept>>;

/// A key in lower case, and its value.
type Line = (String, String);

/// What is kept of a first answer.
#[derive(Debug)]
enum Kept {
    /// It holds for every host.
    ForAll(Answer),
    /// The files tell hosts apart.
    Each,
}

#[derive(Debug, Clone)]
struct Answer {
    lines: Vec<Line>,
    /// A program had a say (`Match exec`).
    ran_program: bool,
}

/// One machine to ask about: as the command line of ssh would name it.
struct Question<'a> {
    config: &'a str,
    user: Option<&'a str>,
    port: Option<&'a str>,
    name: &'a str,
}

impl Resolver {
    /// The machines on the way, nearest first, and the target as the last.
    pub(super) async fn resolve(
        &self,
        connection: &Connection,
        settings: &SshSettings,
    ) -> Result<Vec<Resolved>, NoWay> {
        let config = configuration(connection, settings, Purpose::Ask)?;
        let answer = self.answer_for(connection, settings, &config).await?;
        let reader = Reader { settings, own: self.own_part(settings).await? };
        let known_hosts = own_known_hosts(connection, settings);
        let target = reader.read(&answer, &connection.address, known_hosts)?;
        let mut way = Vec::new();
        for (index, hop) in jumps(&answer.lines).iter().enumerate() {
            // ssh reads these as an address, or with tokens.
            if [hop.user.unwrap_or_default(), hop.name].iter().any(|part| part.contains(['%', '/'])) {
                return Err(NoWay::Foreign(format!("ProxyJump {}", hop.name)));
            }
            let question = Question { config: &config, user: hop.user, port: hop.port, name: hop.name };
            let answer = self.ask(&question).await?;
            // What comes before the first hop is that hop's matter; the others are reached through the one before.
            if index == 0 && value(&answer.lines, "proxyjump").is_some() || index == MAX_HOPS {
                return Err(NoWay::Foreign("ProxyJump of a jump host".to_owned()));
            }
            let known_hosts = connection
                .proxy_jump
                .get(index)
                .map_or_else(|| settings.known_hosts.clone(), |hop| own_known_hosts(hop, settings));
            way.push(reader.read(&answer, hop.name, known_hosts)?);
        }
        way.push(target);
        Ok(way)
    }

    async fn own_part(&self, settings: &SshSettings) -> Result<&[Line], Error> {
        let ask_own = || async {
            let config = configuration(&Connection::to(ANY_HOST.to_owned()), settings, Purpose::AskWithoutUser)?;
            let question = Question { config: &config, user: None, port: None, name: ANY_HOST };
            Ok::<_, Error>(self.ask(&question).await?.lines)
        };
        Ok(self.own.get_or_try_init(ask_own).await?)
    }

    /// Where the answer for this text is, or will be.
    fn cell_for(&self, shape: &str) -> Cell {
        let now = Instant::now();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, (asked_at, _)| now.duration_since(*asked_at) < GOOD_FOR);
        let (_, cell) = answers.entry(shape.to_owned()).or_insert_with(|| (now, Arc::default()));
        Arc::clone(cell)
    }

    async fn answer_for(&self, connection: &Connection, settings: &SshSettings, config: &str) -> Result<Answer, Error> {
        let anonymous = Connection { address: ANY_HOST.to_owned(), ..connection.clone() };
        let shape = configuration(&anonymous, settings, Purpose::Ask)?;
        let cell = self.cell_for(&shape);
        let ask_for_all = || async {
            let question = Question { config: &shape, user: None, port: None, name: ANY_HOST };
            let (answer, files) = self.ask_verbosely(&question).await?;
            // ssh itself puts the name into some values (`UserKnownHostsFile ~/known/%h`).
            let is_named = |(key, value): &Line| key != "host" && key != "hostname" && value.contains(ANY_HOST);
            let apart = answer.ran_program || answer.lines.iter().any(is_named) || tell_hosts_apart(&files);
            let alike = connection.proxy_jump.is_empty() && !apart;
            Ok::<_, Error>(if alike { Kept::ForAll(answer) } else { Kept::Each })
        };
        match cell.get_or_try_init(ask_for_all).await? {
            Kept::ForAll(answer) => Ok(answer.clone()),
            Kept::Each => self.ask(&Question { config, user: None, port: None, name: &connection.address }).await,
        }
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Answer, Error> {
        Ok(self.ask_verbosely(question).await?.0)
    }

    /// The answer, and the files that ssh read for it.
    async fn ask_verbosely(&self, question: &Question<'_>) -> Result<(Answer, Vec<PathBuf>), Error> {
        let _turn = self.asking.acquire().await.map_err(|error| Error::Unusable { what: error.to_string() })?;
        ask(question).await
    }
}

fn configuration(connection: &Connection, settings: &SshSettings, purpose: Purpose<'_>) -> Result<String, Error> {
    render(connection, settings, purpose).map_err(|error| Error::Unusable { what: error.to_string() })
}

fn own_known_hosts(connection: &Connection, settings: &SshSettings) -> PathBuf {
    connection.known_hosts.as_ref().map_or_else(|| settings.known_hosts.clone(), PathBuf::from)
}

async fn ask(question: &Question<'_>) -> Result<(Answer, Vec<PathBuf>), Error> {
    let unusable = |what: String| Error::Unusable { what };
    let mut ssh = tokio::process::Command::new("ssh");
    ssh.args(["-v", "-T", "-G", "-F", "/dev/stdin"]);
    for (option, value) in [("-l", question.user), ("-p", question.port)] {
        if let Some(value) = value {
            ssh.args([option, value]);
        }
    }
    ssh.args(["--", question.name]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut family = Family::start(&mut ssh).map_err(|error| unusable(format!("ssh: {error}")))?;
    let feed = family.first.stdin.take();
    let answered = async {
        if let Some(mut feed) = feed {
            // If it does not read on, it says why.
            let _ = feed.write_all(question.config.as_bytes()).await;
        }
        family.output().await
    };
    let output = tokio::time::timeout(ANSWER_LIMIT, answered).await;
    let output = output.map_err(|_| unusable("`ssh -G` gives no answer: does a `Match exec` hang?".to_owned()))?;
    let output = output.map_err(|error| unusable(format!("ssh: {error}")))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let said: Vec<&str> = messages.lines().filter(|line| !line.starts_with("debug1:")).collect();
        return Err(unusable(excerpt(&said.join("\n"))));
    }
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(read_line).collect();
    let ran_program = messages.contains("debug1: Executing command");
    let read = |line: &str| line.strip_prefix("debug1: Reading configuration data ").map(PathBuf::from);
    Ok((Answer { lines, ran_program }, messages.lines().filter_map(read).collect()))
}

fn read_line(line: &str) -> Line {
    let (key, value) = line.split_once(' ').unwrap_or((line, ""));
    (key.to_ascii_lowercase(), value.trim().to_owned())
}

/// Whether a file of the user or of the system has a line that depends on the host. The first is turnus's own.
fn tell_hosts_apart(files: &[PathBuf]) -> bool {
    let depends = |line: &str| {
        let mut words = line.split([' ', '\t', '=', '"']).filter(|word| !word.is_empty());
        match words.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "host" => !words.eq(["*"]),
            "match" | "hostname" | "canonicalizehostname" | "canonicaldomains" => true,
            // Newer ones know tokens there.
            "include" => line.contains('%'),
            _ => false,
        }
    };
    let of_others = files.iter().filter(|file| file.as_path() != Path::new("/dev/stdin"));
    of_others.into_iter().any(|file| std::fs::read_to_string(file).map_or(true, |text| text.lines().any(depends)))
}

fn value<'a>(lines: &'a [Line], key: &str) -> Option<&'a str> {
    lines.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).filter(|value| *value != "none")
}

fn values<'a>(lines: &'a [Line], key: &'a str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter(move |(name, value)| name == key && value != "none").map(|(_, value)| value.as_str())
}

/// A machine on the way, as `ProxyJump` names it.
struct Hop<'a> {
    user: Option<&'a str>,
    name: &'a str,
    port: Option<&'a str>,
}

fn jumps(lines: &[Line]) -> Vec<Hop<'_>> {
    let read = |text| {
        let (user, place) = str::rsplit_once(text, '@').map_or((None, text), |(user, place)| (Some(user), place));
        let (name, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, rest)) => (name, rest.strip_prefix(':')),
            None => place.rsplit_once(':').map_or((place, None), |(name, port)| (name, Some(port))),
        };
        Hop { user, name, port }
    };
    value(lines, "proxyjump").unwrap_or_default().split(',').filter(|text| !text.is_empty()).map(read).collect()
}

/// Reads answers about machines.
struct Reader<'a> {
    settings: &'a SshSettings,
    own: &'a [Line],
}

impl Reader<'_> {
    /// `known_hosts` is turnus's own file for the machine.
    fn read(&self, answer: &Answer, name: &str, known_hosts: PathBuf) -> Result<Resolved, NoWay> {
        if let Some(foreign) = self.find_foreign(answer) {
            return Err(NoWay::Foreign(foreign));
        }
        let lines = answer.lines.as_slice();
        let number = |key| value(lines, key).and_then(|text| text.parse::<u32>().ok());
        let hostname = value(lines, "hostname").filter(|&hostname| hostname != ANY_HOST).unwrap_or(name).to_owned();
        let port = number("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(22);
        let user = value(lines, "user").unwrap_or("root").to_owned();
        let expander = Expander { original: name, hostname: &hostname, port, user: &user };
        let expand_all = |key| values(lines, key).map(|text| expander.path(text)).collect::<Result<Vec<_>, _>>();
        let files = |key| values(lines, key).flat_map(str::split_ascii_whitespace).map(|text| expander.path(text));
        let mut all_known_hosts = vec![expander.path(&known_hosts.to_string_lossy().replace('%', "%%"))?];
        for file in files("userknownhostsfile").chain(files("globalknownhostsfile")) {
            all_known_hosts.push(file?);
        }
        let seconds = |key, otherwise| number(key).map_or(otherwise, |number| Duration::from_secs(u64::from(number)));
        Ok(Resolved {
            identities: expand_all("identityfile")?,
            certificates: expand_all("certificatefile")?,
            identities_only: value(lines, "identitiesonly") == Some("yes"),
            agent: self.agent(lines, &expander)?,
            connect_timeout: seconds("connecttimeout", Duration::from_secs(self.settings.connect_timeout_s)),
            alive_interval: seconds("serveraliveinterval", Duration::ZERO),
            alive_count: number("serveralivecountmax").map_or(3, |count| count as usize),
            known_hosts: all_known_hosts,
            key_alias: value(lines, "hostkeyalias").map(str::to_owned),
            environment: self.environment(lines),
            hostname,
            port,
            user,
        })
    }

    /// The first thing that was said and that the built-in transport does not do.
    fn find_foreign(&self, answer: &Answer) -> Option<String> {
        if answer.ran_program {
            return Some("Match exec".to_owned());
        }
        let foreign = |line: &&Line| {
            let key = line.0.as_str();
            // Without a ticket it comes to nothing; Debian switches it on for everybody.
            let without_ticket = key.starts_with("gssapi") && !self.has_ticket();
            let known = UNDERSTOOD.contains(&key) || WITHOUT_EFFECT.contains(&key) || without_ticket;
            !known && line.1 != "none" && !self.own.contains(line)
        };
        answer.lines.iter().find(foreign).map(|(key, value)| format!("{key} {value}"))
    }

    /// A Kerberos ticket is where the environment says, else in the usual file (krb5.conf(5), `default_ccache_name`).
    fn has_ticket(&self) -> bool {
        self.variable("KRB5CCNAME").is_some() || Path::new(&format!("/tmp/krb5cc_{}", nix::unistd::getuid())).exists()
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let environment = &self.settings.environment.0;
        environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// ssh_config(5), `IdentityAgent`.
    fn agent(&self, lines: &[Line], expander: &Expander<'_>) -> Result<Option<PathBuf>, NoWay> {
        let said = lines.iter().find(|(key, _)| key == "identityagent").map(|(_, value)| value.as_str());
        match said.unwrap_or("SSH_AUTH_SOCK") {
            "none" => Ok(None),
            "SSH_AUTH_SOCK" => Ok(self.variable("SSH_AUTH_SOCK").map(PathBuf::from)),
            other => match other.strip_prefix('$') {
                Some(name) => Ok(self.variable(name).map(PathBuf::from)),
                None => expander.path(other).map(Some),
            },
        }
    }

    /// ssh_config(5), `SendEnv` and `SetEnv`; what is set comes before what is sent.
    fn environment(&self, lines: &[Line]) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = values(lines, "setenv")
            .filter_map(|text| text.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let patterns: Vec<&str> = values(lines, "sendenv").flat_map(str::split_ascii_whitespace).collect();
        for (name, value) in &self.settings.environment.0 {
            let wanted = patterns.iter().any(|pattern| WildMatch::new(pattern).matches(name));
            if wanted && !all.iter().any(|(known, _)| known == name) {
                all.push((name.clone(), value.clone()));
            }
        }
        all
    }
}

/// Tokens of ssh_config(5) in the names of files.
struct Expander<'a> {
    original: &'a str,
    hostname: &'a str,
    port: u16,
    user: &'a str,
}

impl Expander<'_> {
    fn path(&self, text: &str) -> Result<PathBuf, NoWay> {
        let account = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let home = account.as_ref().map_or_else(|| PathBuf::from("/"), |account| account.dir.clone());
        let (mut path, rest) = match text.strip_prefix("~/") {
            Some(rest) => (format!("{}/", home.display()), rest),
            None => (String::new(), text),
        };
        let mut characters = rest.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                path.push(character);
                continue;
            }
            match characters.next() {
                Some('%') => path.push('%'),
                Some('d') => path.push_str(&home.to_string_lossy()),
                Some('h') => path.push_str(self.hostname),
                Some('n') => path.push_str(self.original),
                Some('p') => path.push_str(&self.port.to_string()),
                Some('r') => path.push_str(self.user),
                Some('u') => path.push_str(account.as_ref().map_or("", |account| account.name.as_str())),
                Some('i') => path.push_str(&nix::unistd::getuid().to_string()),
                other => return Err(NoWay::Foreign(format!("%{} in `{text}`", other.unwrap_or(' ')))),
            }
        }
        if path.contains("${") {
            return Err(NoWay::Foreign(format!("a variable in `{text}`")));
        }
        // Also `~user/…`, and a name with a blank in a list, where ssh -G does not tell one file from two.
        if !path.starts_with('/') {
            return Err(NoWay::Foreign(format!("the file `{text}`")));
        }
        Ok(PathBuf::from(path))
    }
}

#[cfg(test)]
mod tests;
