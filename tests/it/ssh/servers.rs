//! Servers that are not like the others, the choice between the transports, and runs that change between them.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use turnus::domain::id::Epoch;
use turnus::domain::inventory::{Connection, Transport};
use turnus::edge::remote::capsule::{Capsules, End, Record};
use turnus::edge::remote::{Error, choose_transports};

use super::{patient_script, say_hello};
use crate::kit::machine::{order, run, spawn_run, until, wait_for};
use crate::kit::port::free_port;
use crate::kit::sshd::{Account, Controller, Sshd, next_address};

/// A dropbear of a test, into which one account of that test may log in.
struct Dropbear {
    process: Child,
    account: Account,
    directory: TempDir,
    address: String,
    port: u16,
}

impl Dropbear {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let made = Command::new("dropbearkey").args(["-t", "ed25519", "-f", &path("host")]).output();
        assert!(made.expect("dropbearkey").status.success());
        let account = Account::create();
        crate::kit::sshd::make_key(&directory.path().join("key"));
        let ssh = account.home.join(".ssh");
        fs::create_dir(&ssh).expect("made");
        fs::copy(path("key.pub"), ssh.join("authorized_keys")).expect("copied");
        let owned = Command::new("chown").args(["-R", &account.name]).arg(&ssh).status();
        assert!(owned.expect("chown").success());
        for (place, mode) in [(ssh.clone(), 0o700), (ssh.join("authorized_keys"), 0o600)] {
            fs::set_permissions(place, fs::Permissions::from_mode(mode)).expect("set");
        }
        let address = next_address();
        let port = free_port();
        let mut dropbear = Command::new("dropbear");
        dropbear.args(["-F", "-E", "-s", "-r", &path("host"), "-P", &path("pid"), "-p", &format!("{address}:{port}")]);
        dropbear.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = dropbear.spawn().expect("dropbear");
        wait_for("dropbear to listen", || TcpStream::connect((address.as_str(), port)).is_ok());
        Self { process, account, directory, address, port }
    }

    fn connection(&self) -> Connection {
        Connection {
            port: Some(self.port),
            user: Some(self.account.name.clone()),
            identity_file: Some(self.directory.path().join("key").display().to_string()),
            state_dir: Some("~/capsules".to_owned()),
            ..Connection::to(self.address.clone())
        }
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn dropbear_is_a_server_like_any_other(transport: Transport) {
    let (dropbear, controller) = (Dropbear::start(), Controller::by(transport));
    let unknown = say_hello(&controller.remote(&dropbear.connection())).await;
    assert!(matches!(unknown, Err(Error::HostKeyUnknown { .. })), "{unknown:?}");
    let machine = controller.machine(&dropbear.connection()).await;
    assert_eq!(say_hello(&machine.remote).await, Ok("hello\n".to_owned()));
    let capsules = machine.prepare().await;
    let all: Vec<_> =
        (0..3).map(|step| spawn_run(&capsules, &order(step, &format!("echo {step}; exit {step}")))).collect();
    for (step, following) in all.into_iter().enumerate() {
        let heard = following.await.expect("followed");
        assert_eq!((heard.end(), heard.text()), (End::Exit(i32::try_from(step).expect("small")), format!("{step}\n")));
    }
    machine.remote.close().await;
}

async fn a_server_with_few_algorithms_is_enough(transport: Transport) {
    let few = "KexAlgorithms curve25519-sha256\nCiphers aes128-ctr\nMACs hmac-sha2-256\n";
    let (sshd, controller) = (Sshd::start_with(few, &[]), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    assert_eq!(say_hello(&controller.remote(&sshd.connection())).await, Ok("hello\n".to_owned()));
}

/// Each packet takes its time, as on a bad line far away.
async fn a_slow_server_is_waited_for(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let line = crate::kit::sshd::Line::to(&sshd.address, sshd.port).await;
    let connection = Connection { port: Some(line.port), ..sshd.connection() };
    controller.trust(&connection).await;
    line.slow_down();
    assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()));
}

/// A step that was begun over one transport is followed to its end over the other.
async fn a_run_goes_on_over_the_other_transport(transport: Transport) {
    let other = if transport == Transport::OpenSsh { Transport::Builtin } else { Transport::OpenSsh };
    let (sshd, controller, next) = (Sshd::start(), Controller::by(transport), Controller::by(other));
    let machine = controller.machine(&sshd.connection()).await;
    let old = machine.prepare().await;
    let work = order(0, &patient_script(&machine));
    let following = spawn_run(&old, &work);
    until("the start", || machine.lines("starts").len() == 1).await;
    following.abort();
    machine.remote.close().await;
    fs::copy(&controller.settings.known_hosts, &next.settings.known_hosts).expect("copied");
    let state_dir = Some(machine.path("state").display().to_string());
    let remote = Arc::new(next.remote(&Connection { state_dir, ..sshd.connection() }));
    let taken = Capsules::prepare(Arc::clone(&remote), machine.run, Epoch(2), Record::MustExist).await;
    let (new, _) = taken.expect("taken over");
    fs::write(machine.path("go"), "").expect("written");
    let heard = run(&new, &work).await;
    assert_eq!((heard.end(), heard.text().as_str(), heard.attached), (End::Exit(42), "one\ntwo\n", 1));
    assert_eq!(machine.lines("starts"), ["started"]);
    remote.close().await;
}

on_both_transports! {
    dropbear_is_a_server_like_any_other,
    a_server_with_few_algorithms_is_enough,
    a_slow_server_is_waited_for,
    a_run_goes_on_over_the_other_transport,
}

/// Where only ssh and the server have an algorithm in common, `auto` comes to ssh.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_common_algorithm_the_other_transport_is_tried_or_it_is_told() {
    let sshd = Sshd::start_with("KexAlgorithms sntrup761x25519-sha512@openssh.com", &[]);
    let auto = Controller::by(Transport::Auto);
    auto.trust(&sshd.connection()).await;
    let remote = auto.remote(&sshd.connection());
    assert_eq!(say_hello(&remote).await, Ok("hello\n".to_owned()));
    assert_eq!(auto.masters().len(), 1, "by ssh");
    remote.close().await;

    let builtin = Controller::by(Transport::Builtin);
    fs::copy(&auto.settings.known_hosts, &builtin.settings.known_hosts).expect("copied");
    let told = say_hello(&builtin.remote(&sshd.connection())).await.expect_err("nothing in common");
    let text = told.to_string();
    assert!(matches!(told, Error::CannotConnect { .. }), "{told:?}");
    assert!(text.contains("nothing in common for Kex") && text.contains("sntrup761x25519"), "{text}");

    let openssh = Controller::by(Transport::OpenSsh);
    fs::copy(&auto.settings.known_hosts, &openssh.settings.known_hosts).expect("copied");
    fs::write(&openssh.settings.user_config, "KexAlgorithms curve25519-sha256\n").expect("written");
    let told = say_hello(&openssh.remote(&sshd.connection())).await.expect_err("nothing in common").to_string();
    assert!(told.contains("no matching key exchange method") && told.contains("sntrup761x25519"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_ssh_understands_is_left_to_ssh() {
    let (sshd, auto) = (Sshd::start(), Controller::by(Transport::Auto));
    auto.trust(&sshd.connection()).await;
    let plain = choose_transports(&[auto.target(&sshd.connection())]).await.remove(0).expect("a choice");
    assert_eq!(plain.to_string(), "built in: it understands all that is configured");
    let remote = auto.remote(&sshd.connection());
    assert_eq!(say_hello(&remote).await, Ok("hello\n".to_owned()));
    assert_eq!((auto.masters().len(), sshd.connections()), (0, 1), "without ssh");
    remote.close().await;

    fs::write(&auto.settings.user_config, "Host *\n  Ciphers aes256-ctr\n").expect("written");
    let chosen = choose_transports(&[auto.target(&sshd.connection())]).await.remove(0).expect("a choice");
    assert_eq!(chosen.to_string(), "OpenSSH: `ciphers aes256-ctr` in ssh_config");
    let again = Controller::by(Transport::Auto);
    fs::copy(&auto.settings.known_hosts, &again.settings.known_hosts).expect("copied");
    fs::copy(&auto.settings.user_config, &again.settings.user_config).expect("copied");
    let remote = again.remote(&sshd.connection());
    assert_eq!(say_hello(&remote).await, Ok("hello\n".to_owned()));
    assert_eq!(again.masters().len(), 1, "by ssh");
    remote.close().await;

    // A host that says it by name does not get something else.
    let wanted = Connection { transport: Some(Transport::Builtin), ..sshd.connection() };
    let told = say_hello(&again.remote(&wanted)).await.expect_err("not understood").to_string();
    assert!(told.contains("`web1` (`ciphers aes256-ctr` in ssh_config): use `auto`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_hosts_are_asked_about_at_a_time() {
    let (auto, place) = (Controller::by(Transport::Auto), tempfile::tempdir().expect("a directory"));
    // Each of the two goes on once the other is there, too.
    let meet = format!(
        "cd {}; touch %h; for i in $(seq 300); do test -e one -a -e two && exit; sleep 0.1; done; exit 1",
        place.path().display()
    );
    fs::write(&auto.settings.user_config, format!("Match host one,two exec \"{meet}\"\n  Port 22\n")).expect("written");
    let targets = ["one", "two"].map(|host| auto.target(&Connection::to(host.to_owned())));
    for choice in choose_transports(&targets).await {
        assert_eq!(choice.expect("a choice").to_string(), "OpenSSH: `Match exec` in ssh_config");
    }
}
