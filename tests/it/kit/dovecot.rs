//! A real Dovecot on loopback: IMAP, and LMTP by which mail comes in. Its mailboxes are Maildirs that a test may read and fill.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Group, Pid, Uid, User};
use tempfile::TempDir;

use super::account::Account;
use super::machine::wait_for;
use super::port::free_port;
use super::smtp::Authority;
use super::sshd::next_address;

pub(crate) const USER: &str = "probe@customer.example";
pub(crate) const PASSWORD: &str = "correct \"horse\"";

/// A Dovecot of a test. It ends with the test, whichever way that ends.
pub(crate) struct Dovecot {
    pub(crate) address: String,
    /// TLS from the first byte.
    pub(crate) imaps: u16,
    /// In clear, with STARTTLS.
    pub(crate) imap: u16,
    pub(crate) lmtp: u16,
    /// Who issued its certificate: a PEM file.
    pub(crate) ca_file: PathBuf,
    directory: TempDir,
    process: Child,
}

impl Dovecot {
    /// With these capabilities, or its own.
    pub(crate) fn start(capabilities: Option<&str>) -> Self {
        let address = next_address();
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let owner = owner();
        let authority = Authority::make(path);
        let certificate = authority.issue(&format!("IP:{address}"), 0);
        let (imaps, imap, lmtp) = (free_port(), free_port(), free_port());
        let capabilities = capabilities.map_or(String::new(), |words| format!("imap_capability = {words}\n"));
        let text = format!(
            "base_dir = {0}/run\nstate_dir = {0}/state\nlog_path = {0}/log\nprotocols = imap lmtp\nlisten = {address}\n\
             ssl = yes\nssl_cert = <{1}\nssl_key = <{2}\nfirst_valid_uid = 0\nauth_failure_delay = 0\n\
             mail_location = maildir:~/Maildir\npostmaster_address = postmaster@customer.example\n{capabilities}\
             passdb {{\n driver = passwd-file\n args = {0}/users\n}}\n\
             userdb {{\n driver = static\n args = uid={3} gid={4} home={0}/mail\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = {imap}\n }}\n\
              inet_listener imaps {{\n port = {imaps}\n }}\n}}\n\
             service anvil {{\n chroot =\n unix_listener anvil-auth-penalty {{\n mode = 0\n }}\n}}\n\
             service lmtp {{\n inet_listener lmtp {{\n port = {lmtp}\n }}\n}}\n{5}",
            path.display(),
            certificate.chain.display(),
            certificate.key.display(),
            owner.uid,
            owner.gid,
            accounts(),
        );
        fs::write(path.join("conf"), text).expect("written");
        fs::write(path.join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).expect("written");
        ["cur", "new", "tmp"].iter().for_each(|name| {
            fs::create_dir_all(path.join("mail/Maildir").join(name)).expect("made");
        });
        owner.give(path);
        let log = fs::File::create(path.join("output")).expect("a log");
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(path.join("conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("dovecot");
        let server = Self { address, imaps, imap, lmtp, ca_file: authority.certificate, directory, process };
        wait_for("dovecot", || server.greeting().is_some_and(|line| line.contains("Dovecot")));
        server
    }

    /// Puts a message into the mailbox that came so many days ago.
    pub(crate) fn put(&self, name: &str, text: &str, days_ago: u64) {
        let path = self.maildir().join("cur").join(format!("{name}:2,"));
        fs::write(&path, text).expect("written");
        let at = std::time::SystemTime::now() - std::time::Duration::from_hours(24 * days_ago);
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(at)).expect("a date");
        owner().give(&path);
    }

    /// All messages in the mailbox: name of the file, and text.
    pub(crate) fn messages(&self) -> Vec<(String, String)> {
        let files = ["cur", "new"].map(|name| fs::read_dir(self.maildir().join(name)).expect("a Maildir"));
        let read = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.expect("an entry").path();
            (path.file_name().expect("a name").display().to_string(), fs::read_to_string(&path).expect("a message"))
        };
        files.into_iter().flatten().map(read).collect()
    }

    /// It takes connections before those that know the passwords are there; then it says so instead of its name.
    fn greeting(&self) -> Option<String> {
        let stream = std::net::TcpStream::connect((self.address.as_str(), self.imap)).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line)
    }

    fn maildir(&self) -> PathBuf {
        self.directory.path().join("mail/Maildir")
    }
}

impl Drop for Dovecot {
    /// Its master takes its other processes along.
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

/// Whose mail it is: Dovecot gives none to root.
fn owner() -> Account {
    Account::of("nobody")
}

/// Without root, all of it runs under one account.
fn accounts() -> String {
    if Uid::current().is_root() {
        return String::new();
    }
    let user = User::from_uid(Uid::current()).ok().flatten().expect("an account").name;
    let group = Group::from_gid(Gid::current()).ok().flatten().expect("a group").name;
    format!("default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n")
}
