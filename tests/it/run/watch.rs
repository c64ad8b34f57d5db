//! Runs whose hosts are watched: a real web server is stopped and started while they go on.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::faults::resume_when_lapsed;
use crate::kit::port::free_port;
use crate::kit::world::{World, text, wait_until};

/// Nothing is stopped by it, so that nothing has to be started again; `install` waits at a gate.
const JOB: &str = r#"
description   = "Update of a service that is watched"
batch         = ["100%"]
backup        = "none"
backup_reason = "a test"
watch_after   = "0s"

[[step]]
phase    = "update"
name     = "install"
run      = '. "$VAR_KIT"; note; gate install'
rollback = '. "$VAR_KIT"; note downgrade'
"#;

/// nginx, which is stopped and started as a service is.
struct Shop {
    process: Option<Child>,
    port: u16,
    directory: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let port = free_port();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
            .concat();
        let configuration = format!(
            "pid {path}/pid;\ndaemon off;\nmaster_process off;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
             server {{\nlisten 0.0.0.0:{port};\nlocation / {{ return 200 hello; }}\n}}\n}}\n"
        );
        std::fs::write(directory.path().join("nginx.conf"), configuration).unwrap();
        let mut shop = Self { process: None, port, directory };
        shop.start();
        shop
    }

    /// Returns when it answers.
    fn start(&mut self) -> Instant {
        let path = self.directory.path().display().to_string();
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.args(["-c", &format!("{path}/nginx.conf"), "-p", &path, "-e", &format!("{path}/log")]);
        self.process = Some(nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_until("the shop is open", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        Instant::now()
    }

    /// Returns when it answers no longer.
    fn stop(&mut self) -> Instant {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        Instant::now()
    }

    /// It is away for a while; returns for how long.
    fn interrupt(&mut self, length: Duration) -> Duration {
        let stopped = self.stop();
        std::thread::sleep(length);
        self.start().duration_since(stopped)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
    }
}

/// Hosts whose shop and login are watched.
fn world(hosts: usize, shop: &Shop, job: &str) -> World {
    let world = World::new(hosts);
    let probes = format!(
        "[[host.probe]]\nname = \"shop\"\nwatch = true\nmax_downtime = \"2s\"\n\
         http = {{ url = \"http://$ADDRESS:{}/\", contains = \"hello\", timeout = \"1s\" }}\n\
         [[host.probe]]\nname = \"login\"\nwatch = true\ntcp = {{ address = \"$ADDRESS:{}\", greeting = \"SSH-2.0\" }}\n",
        shop.port, world.ssh_port
    );
    world.write_inventory(world.ssh_port, &probes);
    world.job("watched", job);
    world
}

/// The watch over a service of the first host, as the report has it.
fn watch(world: &World, name: &str) -> serde_json::Value {
    let report = world.report(1);
    let watches = report["hosts"][0]["watches"].as_array().cloned().unwrap_or_default();
    watches.into_iter().find(|watch| watch["name"] == name).unwrap_or_else(|| panic!("{report}"))
}

/// The lengths of its interruptions in milliseconds.
fn interruptions(watch: &serde_json::Value) -> Vec<u64> {
    watch["interruptions"].as_array().unwrap().iter().map(|outage| outage["duration_ms"].as_u64().unwrap()).collect()
}

/// Within one interval of what it was; a moment more is granted, as the test's own look is not the watch's.
#[track_caller]
fn assert_measured(found_ms: u64, real: Duration) {
    let wrong_by = Duration::from_millis(found_ms).abs_diff(real);
    assert!(wrong_by <= Duration::from_millis(1300), "{found_ms} ms instead of {real:?}");
}

#[test]
fn interruptions_are_measured_while_a_host_is_in_work_and_afterwards() {
    let mut shop = Shop::open();
    let world = world(1, &shop, &JOB.replace("watch_after   = \"0s\"", "watch_after = \"7s\""));
    world.close("install");
    let running = world.start_run("watched");
    world.wait_for_gate("install", "h1");
    let first = shop.interrupt(Duration::from_secs(3));
    running.wait_for_text("`shop`: up again");
    world.open("install");
    running.wait_for_text("=> updated");
    assert_eq!(world.ledger(), ["h1 install"]);
    let second = shop.interrupt(Duration::from_millis(1500));
    let (status, printed) = running.finish();
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("`shop`: DOWN: GET http://127.0.0."), "{printed}");
    let measured = interruptions(&watch(&world, "shop"));
    assert_eq!(measured.len(), 2, "{printed}");
    assert_measured(measured[0], first);
    assert_measured(measured[1], second);
    let login = watch(&world, "login");
    assert_eq!((login["down_ms"].as_u64(), interruptions(&login)), (Some(0), vec![]), "it never stopped");
    let told = text(&world.run(&["report", "1", "--format", "text"]));
    assert!(told.contains("login: out of order never, watched") && told.contains("shop: out of order"), "{told}");
}

#[test]
fn a_service_that_does_not_come_back_takes_the_update_back_and_stops_the_batch() {
    let mut shop = Shop::open();
    let world = world(
        3,
        &shop,
        &JOB.replace("[\"100%\"]", "[\"1\", \"100%\"]").replace("description", "max_failures = 9\ndescription"),
    );
    world.close("install");
    let running = world.start_run("watched");
    world.wait_for_gate("install", "h1");
    shop.stop();
    running.wait_for_text("`shop`: DOWN");
    world.open("install");
    let (status, printed) = running.finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("`shop`: down for longer than it may be after the update"), "{printed}");
    assert_eq!(world.ledger(), ["h1 install", "h1 downgrade"]);
    assert_eq!(world.outcome(1, "h1"), "failed_and_rolled_back");
    assert_eq!((world.outcome(1, "h2"), world.outcome(1, "h3")), ("skipped".to_owned(), "skipped".to_owned()));
    let watch = watch(&world, "shop");
    assert!(watch["interruptions"][0]["to"].is_null(), "{watch}");
    let told = text(&world.run(&["report", "1", "--format", "text"]));
    assert!(told.contains("A service of this server did not come back in time after the update"), "{told}");
    assert!(told.contains("a service of another server did not come back"), "{told}");
}

#[test]
fn a_host_waits_for_its_service_to_come_back() {
    let mut shop = Shop::open();
    let world = world(1, &shop, &JOB.replace("watch_after", "# watch_after"));
    let inventory = world.path("configuration/inventories/nordwind.toml");
    let longer = std::fs::read_to_string(&inventory).unwrap().replace("max_downtime = \"2s\"", "max_downtime = \"1m\"");
    std::fs::write(&inventory, longer).unwrap();
    world.close("install");
    let mut running = world.start_run("watched");
    world.wait_for_gate("install", "h1");
    shop.stop();
    running.wait_for_text("`shop`: DOWN");
    world.open("install");
    running.wait_for_text("install: ok");
    std::thread::sleep(Duration::from_secs(1));
    assert!(running.is_running() && !running.printed().contains("=>"), "{}", running.printed());
    shop.start();
    running.wait_for_text("=> updated");
    // Who is satisfied need not wait for the end of the watch.
    running.signal(nix::sys::signal::Signal::SIGINT);
    let (status, printed) = running.finish();
    assert_eq!((status, world.ledger()), (0, vec!["h1 install".to_owned()]), "{printed}");
}

#[test]
fn another_controller_goes_on_watching_and_says_when_nobody_did() {
    let mut shop = Shop::open();
    let world = world(1, &shop, JOB);
    world.close("install");
    let running = world.start_run("watched");
    world.wait_for_gate("install", "h1");
    shop.stop();
    running.wait_for_text("`shop`: DOWN");
    running.kill_hard();
    shop.start();
    let resumed = resume_when_lapsed(&world);
    resumed.wait_for_text("`shop`: up again");
    world.open("install");
    let (status, printed) = resumed.finish();
    assert_eq!(status, 0, "{printed}");
    let watch = watch(&world, "shop");
    assert_eq!(interruptions(&watch).len(), 1, "{watch}");
    assert_eq!(watch["gaps"].as_array().map(Vec::len), Some(1), "{watch}");
}
