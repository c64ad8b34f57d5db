//! Real OpenSSH: every way in which a connection is refused, is lost or is short of room; and the step that goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use turnus::domain::inventory::{Connection, Transport};
use turnus::edge::remote::capsule::{Capsules, End, Record};
use turnus::edge::remote::trust::fetch_keys;
use turnus::edge::remote::{Command, Error, Exit, Remote};

use crate::kit::machine::{Machine, PATIENCE, kill, order, processes, run, spawn_run, until};
use crate::kit::port::free_port;
use crate::kit::sshd::{Account, Controller, Line, Sshd, make_key};

/// Each of these holds for both transports.
macro_rules! on_both_transports {
    ($($name:ident,)*) => {
        mod openssh {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Transport::OpenSsh).await;
            })*
        }

        mod builtin {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Transport::Builtin).await;
            })*
        }
    };
}

mod identities;
mod servers;

fn command(words: &[&str]) -> Command {
    Command { argv: words.iter().map(|&word| word.to_owned()).collect(), stdin: Vec::new() }
}

/// How many `ssh` processes hold a connection.
fn processes_of(transport: Transport) -> usize {
    usize::from(transport == Transport::OpenSsh)
}

async fn say_hello(remote: &Remote) -> Result<String, Error> {
    let mut running = remote.exec(command(&["echo", "hello"])).await?;
    let mut said = String::new();
    let _ = running.stdout.read_to_string(&mut said).await;
    running.wait().await.map(|_| said)
}

async fn an_unknown_key_is_refused_with_its_fingerprint_and_accepted_after_trust(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let connection = sshd.connection();
    let error = say_hello(&controller.remote(&connection)).await.expect_err("unknown");
    assert!(matches!(error, Error::HostKeyUnknown { .. }), "{error:?}");
    assert!(error.to_string().contains(&sshd.fingerprint()), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("`turnus trust web1`")));

    let keys = fetch_keys(&controller.target(&connection)).await.expect("keys");
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].fingerprint.clone(), keys[0].algorithm.as_str()), (sshd.fingerprint(), "ssh-ed25519"));
    assert!(!controller.settings.known_hosts.exists(), "looking stores nothing");
    controller.trust(&connection).await;
    assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()));
}

async fn a_changed_key_is_refused_with_both_fingerprints(transport: Transport) {
    let (mut sshd, controller) = (Sshd::start(), Controller::by(transport));
    let connection = sshd.connection();
    controller.trust(&connection).await;
    let before = sshd.fingerprint();
    sshd.change_key();
    let error = say_hello(&controller.remote(&connection)).await.expect_err("changed");
    let Error::HostKeyChanged { known, offered, place, .. } = &error else { panic!("{error:?}") };
    assert_eq!((known, offered), (&before, &sshd.fingerprint()));
    assert!(place.contains("known hosts:1"), "{place}");
    // Shown again by trust, and replaced.
    controller.trust(&connection).await;
    assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()));
}

async fn a_key_that_is_not_accepted_is_told_apart(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let other = controller.directory.path().join("other key");
    make_key(&other);
    let connection = Connection { identity_file: Some(other.display().to_string()), ..sshd.connection() };
    controller.trust(&connection).await;
    let error = say_hello(&controller.remote(&connection)).await.expect_err("refused");
    assert!(matches!(error, Error::AuthenticationRefused { .. }), "{error:?}");
}

async fn what_does_not_answer_is_sorted_and_bounded_in_time(transport: Transport) {
    let controller = Controller::by(transport);
    let sshd = Sshd::start();
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = |address: &str, port| Connection { address: address.to_owned(), port: Some(port), ..sshd.connection() };

    let error = say_hello(&controller.remote(&at("127.0.0.1", free_port()))).await.expect_err("closed");
    assert!(matches!(&error, Error::CannotConnect { detail, .. } if detail.contains("refused")), "{error:?}");
    let error = say_hello(&controller.remote(&at("nowhere.invalid", 22))).await.expect_err("no such name");
    assert!(matches!(error, Error::CannotResolve { .. }), "{error:?}");
    let begin = Instant::now();
    let port = mute.local_addr().expect("an address").port();
    let error = say_hello(&controller.remote(&at("127.0.0.1", port))).await.expect_err("mute");
    assert!(matches!(error, Error::CannotConnect { .. }), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(controller.masters().is_empty(), "no ssh process stays");
}

async fn a_jump_host_is_checked_trusted_and_used(transport: Transport) {
    let (hop, sshd, controller) = (Sshd::start(), Sshd::start(), Controller::by(transport));
    let mut connection = sshd.connection();
    connection.proxy_jump = vec![hop.connection()];
    let error = say_hello(&controller.remote(&connection)).await.expect_err("unknown");
    assert!(matches!(error, Error::HostKeyUnknown { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&hop.fingerprint()) && text.contains(&sshd.fingerprint()), "{text}");
    controller.trust(&connection).await;
    assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()));
    assert!(hop.log().contains("Accepted publickey"), "{}", hop.log());
}

async fn the_users_ssh_config_fills_in_what_the_inventory_does_not_say(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let user = format!(
        "Host maintained-*\n  HostName {}\n  Port {}\n  User root\n  IdentityFile {}\n  ControlMaster auto\n  ControlPath \
         {}/users-own\n  RemoteCommand false\n  LocalForward 1 localhost:1\n",
        sshd.address,
        sshd.port,
        sshd.file("user_key"),
        controller.directory.path().display()
    );
    fs::write(&controller.settings.user_config, user).expect("written");
    let connection = Connection {
        address: "maintained-web1".to_owned(),
        port: None,
        user: None,
        identity_file: None,
        ..sshd.connection()
    };
    controller.trust(&connection).await;
    assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()));
    assert!(!controller.directory.path().join("users-own").exists());
}

async fn exit_statuses_and_streams_of_a_bare_command_are_exact(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let machine = controller.machine(&sshd.connection()).await;
    for status in [0, 1, 126, 127, 254, 255] {
        let mut running = machine
            .remote
            .exec(command(&["sh", "-c", &format!("cat; echo e >&2; exit {status}")]))
            .await
            .expect("running");
        let mut said = String::new();
        running.stdout.read_to_string(&mut said).await.expect("read");
        assert_eq!(running.wait().await, Ok((Exit::Status(status), "e".to_owned())));
    }
    let mut running = machine.remote.exec(command(&["sh", "-c", "kill -9 $$"])).await.expect("running");
    running.stdout.read_to_string(&mut String::new()).await.expect("read");
    assert_eq!(running.wait().await.expect("an exit").0, Exit::Signal);
    let stdin = vec![b'x'; 3_000_000];
    let argv = ["cat".to_owned()].to_vec();
    let mut running = machine.remote.exec(Command { argv, stdin: stdin.clone() }).await.expect("running");
    let mut back = Vec::new();
    running.stdout.read_to_end(&mut back).await.expect("read");
    assert!(back == stdin, "3 MB there and back");
    let said = say_hello(&machine.remote).await;
    assert_eq!(said, Ok("hello\n".to_owned()), "and the connection is still good");
}

async fn parallel_steps_share_one_connection_and_wait_for_room(transport: Transport) {
    let (sshd, controller) = (Sshd::start_with("MaxSessions 1", &[]), Controller::by(transport));
    let machine = controller.machine(&sshd.connection()).await;
    let capsules = machine.prepare().await;
    let all: Vec<_> =
        (0..4).map(|step| spawn_run(&capsules, &order(step, &format!("sleep 0.3; exit {step}")))).collect();
    for (step, following) in all.into_iter().enumerate() {
        assert_eq!(following.await.expect("followed").end(), End::Exit(i32::try_from(step).expect("small")));
    }
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "{}", sshd.log());
    assert_eq!(controller.masters().len(), processes_of(transport));
}

async fn a_server_that_takes_few_callers_at_a_time_is_called_again(transport: Transport) {
    let (sshd, controller) = (Sshd::start_with("MaxStartups 1:100:1", &[]), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    let callers: Vec<_> = (0..6)
        .map(|_| {
            let remote = controller.remote(&sshd.connection());
            tokio::spawn(async move { say_hello(&remote).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), Ok("hello\n".to_owned()));
    }
}

async fn closing_leaves_no_process_even_if_a_command_still_runs(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let machine = controller.machine(&sshd.connection()).await;
    let abandoned = machine.remote.exec(command(&["sleep", "2"])).await.expect("running");
    assert_eq!((controller.masters().len(), sshd.connections()), (processes_of(transport), 1));
    machine.remote.close().await;
    assert_eq!(controller.masters(), Vec::<i32>::new());
    drop(abandoned);

    // Without close, letting go of the last handle does it.
    let remote = controller.remote(&sshd.connection());
    say_hello(&remote).await.expect("hello");
    assert_eq!((controller.masters().len(), sshd.connections()), (processes_of(transport), 1));
    drop(remote);
    assert_eq!(controller.masters(), Vec::<i32>::new());
    until("the sessions on the server to end", || sshd.session_processes().is_empty()).await;
}

async fn start_up_files_that_talk_are_no_part_of_the_answer(transport: Transport) {
    let (sshd, controller, account) = (Sshd::start(), Controller::by(transport), Account::create());
    let noise = "echo Welcome; printf 'turnus:n1\\nrc 0 no\\nend'; echo oops >&2\n";
    fs::write(account.home.join(".bashrc"), noise).expect("written");
    let connection =
        Connection { user: Some(account.name.clone()), state_dir: Some("~/capsules".to_owned()), ..sshd.connection() };
    let machine = controller.machine(&connection).await;
    let said = say_hello(&machine.remote).await.expect("hello");
    assert!(said.starts_with("Welcome"), "the noise is real: {said}");
    let capsules = machine.prepare().await;
    let heard = run(&capsules, &order(0, "id -un; exit 3")).await;
    assert_eq!((heard.end(), heard.text()), (End::Exit(3), format!("{}\n", account.name)));
    let mode = |name: &str| fs::metadata(account.home.join(name)).expect("there").permissions().mode();
    assert_eq!(mode("capsules/runs") & 0o777, 0o700, "what steps leave is nobody else's business");
    assert_eq!(mode("capsules") & 0o022, 0, "and nobody else can put something in its place");
    machine.remote.close().await;
}

async fn sudo_that_asks_is_an_error_and_sudo_that_does_not_gives_root(transport: Transport) {
    let (sshd, controller, account) = (Sshd::start(), Controller::by(transport), Account::create());
    let connection = Connection { user: Some(account.name.clone()), elevate: true, ..sshd.connection() };
    let machine = controller.machine(&connection).await;
    let refused = machine.take(1, Record::MayBegin).await;
    assert!(matches!(refused, Err(Error::SudoRefused { .. })), "{refused:?}");
    let rule = account.allow_sudo();
    let capsules = machine.prepare().await;
    let heard = run(&capsules, &order(0, "id -un")).await;
    assert_eq!((heard.end(), heard.text().as_str()), (End::Exit(0), "root\n"));
    drop(rule);
    machine.remote.close().await;
}

async fn an_account_without_a_shell_is_told_apart(transport: Transport) {
    let (sshd, controller, account) = (Sshd::start(), Controller::by(transport), Account::create());
    let changed = Process::new("usermod").args(["-s", "/usr/sbin/nologin", &account.name]).status();
    assert!(changed.expect("usermod").success());
    let machine = controller.machine(&Connection { user: Some(account.name.clone()), ..sshd.connection() }).await;
    let refused = machine.take(1, Record::MayBegin).await;
    assert!(matches!(&refused, Err(Error::NoShell { detail, .. }) if detail.contains("not available")), "{refused:?}");
    machine.remote.close().await;
}

/// A step that tells when it started, says two things, and waits in between until a file is there.
fn patient_script(machine: &Machine) -> String {
    format!(
        "echo started >>{}; echo one; until [ -e {} ]; do sleep 0.1; done; echo two; echo a=b >>\"$TURNUS_OUTPUT\"; exit 42",
        machine.word("starts"),
        machine.word("go")
    )
}

/// Breaks the line in mid-step by `break_it`, lets the step go on, and expects all of it, once.
async fn survives(machine: &Machine, break_it: impl AsyncFnOnce(&Capsules)) {
    let capsules = machine.prepare().await;
    let (sender, mut receiver) = mpsc::channel(64);
    let work = order(0, &patient_script(machine));
    let following = {
        let capsules = capsules.clone();
        tokio::spawn(async move { capsules.run_step(&work, 0, &sender, tokio::time::Instant::now() + PATIENCE).await })
    };
    // The first line has come all the way.
    receiver.recv().await.expect("a piece");
    break_it(&capsules).await;
    fs::write(machine.path("go"), "").expect("written");
    let ended = following.await.expect("no panic").expect("an end");
    assert_eq!((ended.end, ended.output_bytes), (End::Exit(42), 8));
    assert_eq!(ended.facts["a"], "b");
    assert_eq!(machine.lines("starts"), ["started"]);
    let mut rest = Vec::new();
    while let Some(piece) = receiver.recv().await {
        rest.push(format!("{piece:?}"));
    }
    assert!(rest.iter().any(|piece| piece.contains("Attached")), "the line was really lost: {rest:?}");
    assert!(rest.last().is_some_and(|piece| piece.contains("at_offset: 4")), "{rest:?}");
    machine.remote.close().await;
}

async fn a_step_survives_the_death_of_its_sshd_session(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let machine = controller.machine(&sshd.connection()).await;
    survives(&machine, async |_| sshd.kill_sessions()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_survives_the_death_of_the_ssh_master() {
    let (sshd, controller) = (Sshd::start(), Controller::by(Transport::OpenSsh));
    let machine = controller.machine(&sshd.connection()).await;
    survives(&machine, async |_| controller.masters().into_iter().for_each(kill)).await;
}

async fn a_step_survives_a_line_that_goes_silent(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let line = Line::to(&sshd.address, sshd.port).await;
    let machine = controller.machine(&Connection { port: Some(line.port), ..sshd.connection() }).await;
    survives(&machine, async |_| {
        line.freeze();
        until("the line to be dead", || line.is_dead()).await;
        line.thaw();
    })
    .await;
}

async fn a_step_survives_its_controller(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let machine = controller.machine(&sshd.connection()).await;
    let old = machine.prepare().await;
    let work = order(0, &patient_script(&machine));
    let following = spawn_run(&old, &work);
    until("the start", || machine.lines("starts").len() == 1).await;
    // All that a killed controller leaves: nothing. The next one connects anew, with the next epoch.
    following.abort();
    controller.masters().into_iter().for_each(kill);
    let next = Controller::by(transport);
    fs::copy(&controller.settings.known_hosts, &next.settings.known_hosts).expect("copied");
    let state_dir = Some(machine.path("state").display().to_string());
    let remote = Arc::new(next.remote(&Connection { state_dir, ..sshd.connection() }));
    let taken = Capsules::prepare(remote.clone(), machine.run, turnus::domain::id::Epoch(2), Record::MustExist).await;
    let (new, facts) = taken.expect("taken over");
    assert_eq!(facts["uid"], "0");
    fs::write(machine.path("go"), "").expect("written");
    let heard = run(&new, &work).await;
    assert_eq!((heard.end(), heard.text().as_str(), heard.attached), (End::Exit(42), "one\ntwo\n", 1));
    // The old one, had it only been stopped, is fenced.
    let late = run(&old, &order(1, &patient_script(&machine))).await.ended;
    assert!(matches!(late, Err(Error::Fenced { newer: 2, .. })), "{late:?}");
    assert_eq!(machine.lines("starts"), ["started"]);
    remote.close().await;
    machine.remote.close().await;
}

async fn an_unreachable_host_leaves_a_started_step_unknown(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let machine = controller.machine(&sshd.connection()).await;
    let capsules = machine.prepare().await;
    let work = order(0, &patient_script(&machine));
    let (sender, mut receiver) = mpsc::channel(64);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(4);
    let following = tokio::spawn(async move { capsules.run_step(&work, 0, &sender, deadline).await });
    receiver.recv().await.expect("a piece");
    drop(sshd);
    let ended = following.await.expect("no panic");
    fs::write(machine.path("go"), "").expect("written");
    let Err(Error::Unknown { last, .. }) = &ended else { panic!("{ended:?}") };
    assert!(last.contains("refused"), "{last}");
    until("the step to end by itself", || {
        processes(|_, line| {
            line.contains("supervise") && line.contains(&machine.directory.path().display().to_string())
        })
        .is_empty()
    })
    .await;
}

async fn a_restart_is_seen_by_its_boot_id_and_begun_once(transport: Transport) {
    // A boot id that a test can change: bound over the real one, in a mount namespace of this sshd alone.
    let place = tempfile::tempdir().expect("a directory");
    let (boot_id, wrapper, tools) =
        (place.path().join("boot_id"), place.path().join("start"), place.path().join("bin"));
    fs::write(&boot_id, "11111111-1111-1111-1111-111111111111\n").expect("written");
    fs::create_dir(&tools).expect("made");
    let begin =
        format!("#!/bin/sh\nmount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"\n", boot_id.display());
    fs::write(&wrapper, begin).expect("written");
    // In place of the real command: the machine goes down, all sessions with it, and comes up again.
    let systemctl = format!(
        "#!/bin/sh\necho \"$1\" >>{0}/restarts\n(sleep 0.5; echo 22222222-2222-2222-2222-222222222222 >{1}; : >{0}/down) </dev/null \
         >/dev/null 2>&1 &\n",
        place.path().display(),
        boot_id.display()
    );
    fs::write(tools.join("systemctl"), systemctl).expect("written");
    for program in [&wrapper, &tools.join("systemctl")] {
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("set");
    }
    let path = format!("SetEnv PATH={}:/usr/bin:/bin", tools.display());
    let sshd = Sshd::start_with(&path, &["unshare", "-m", &wrapper.display().to_string()]);
    let controller = Controller::by(transport);
    let machine = controller.machine(&sshd.connection()).await;
    let capsules = machine.prepare().await;
    let (sender, _receiver) = mpsc::channel(64);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let (work, down) = (order(0, "not used"), place.path().join("down"));
    let restart = capsules.reboot(&work, &sender, deadline);
    let cut = async {
        until("the machine to go down", || down.exists()).await;
        sshd.kill_sessions();
    };
    let (ended, ()) = tokio::join!(restart, cut);
    let ended = ended.expect("an end");
    assert_eq!(ended.end, End::Exit(0));
    assert_eq!(ended.facts["boot_id"], "22222222-2222-2222-2222-222222222222");
    // The next controller finds it done.
    let next = machine.take(2, Record::MustExist).await.expect("taken over");
    let again = next.reboot(&work, &sender, deadline).await.expect("an end");
    assert_eq!((again.end, again.facts), (ended.end, ended.facts));
    let restarts = fs::read_to_string(place.path().join("restarts")).expect("there");
    assert_eq!(restarts, "reboot\n");
    machine.remote.close().await;
}

async fn a_restart_that_is_refused_fails_at_once(transport: Transport) {
    let tools = tempfile::tempdir().expect("a directory");
    for name in ["systemctl", "reboot", "shutdown"] {
        let program = tools.path().join(name);
        fs::write(&program, "#!/bin/sh\necho no; exit 1\n").expect("written");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("set");
    }
    let sshd = Sshd::start_with(&format!("SetEnv PATH={}:/usr/bin:/bin", tools.path().display()), &[]);
    let controller = Controller::by(transport);
    let machine = controller.machine(&sshd.connection()).await;
    let capsules = machine.prepare().await;
    let (sender, _receiver) = mpsc::channel(64);
    let ended = capsules.reboot(&order(0, ""), &sender, tokio::time::Instant::now() + PATIENCE).await.expect("an end");
    assert_eq!(ended.end, End::Exit(1));
    machine.remote.close().await;
}

on_both_transports! {
    an_unknown_key_is_refused_with_its_fingerprint_and_accepted_after_trust,
    a_changed_key_is_refused_with_both_fingerprints,
    a_key_that_is_not_accepted_is_told_apart,
    what_does_not_answer_is_sorted_and_bounded_in_time,
    a_jump_host_is_checked_trusted_and_used,
    the_users_ssh_config_fills_in_what_the_inventory_does_not_say,
    exit_statuses_and_streams_of_a_bare_command_are_exact,
    parallel_steps_share_one_connection_and_wait_for_room,
    a_server_that_takes_few_callers_at_a_time_is_called_again,
    closing_leaves_no_process_even_if_a_command_still_runs,
    start_up_files_that_talk_are_no_part_of_the_answer,
    sudo_that_asks_is_an_error_and_sudo_that_does_not_gives_root,
    an_account_without_a_shell_is_told_apart,
    a_step_survives_the_death_of_its_sshd_session,
    a_step_survives_a_line_that_goes_silent,
    a_step_survives_its_controller,
    an_unreachable_host_leaves_a_started_step_unknown,
    a_restart_is_seen_by_its_boot_id_and_begun_once,
    a_restart_that_is_refused_fails_at_once,
}
