//! A real file system of a size of its own that fills: in a mount namespace, so only where the test has root.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use turnus::domain::capacity::{Disk, Measurement, WatchedPath};
use turnus::edge::remote::capacity::measure;

use crate::kit::machine::Machine;

const MIB: u64 = 1 << 20;

fn may_mount() -> bool {
    let may = nix::unistd::geteuid().is_root()
        && std::process::Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("skipped: needs root and mount namespaces");
    }
    may
}

/// The controller's own machine, on which `prepare` has been done in a mount namespace before each command, with `shell` as `sh`.
fn machine(shell: &str, prepare: &str) -> Machine {
    let directory = tempfile::tempdir().unwrap();
    let programs = directory.path().join("bin");
    fs::create_dir_all(&programs).unwrap();
    fs::create_dir_all(directory.path().join("disk with a blank")).unwrap();
    let disk = directory.path().join("disk with a blank");
    let text = format!(
        "#!/bin/sh\nexec unshare -m /bin/sh -c 'disk=\"{}\"\n{prepare}\nexec {shell} \"$@\"' sh \"$@\"\n",
        disk.display()
    );
    fs::write(programs.join("sh"), text).unwrap();
    fs::set_permissions(programs.join("sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    Machine::local_with(directory, path.into())
}

async fn look(machine: &Machine, paths: &[&str]) -> Measurement {
    let watched = paths.iter().map(|path| WatchedPath { path: (*path).to_owned(), warn_s: 86_400 });
    measure(&machine.remote, &watched.collect::<Vec<_>>()).await.unwrap()
}

fn disk(machine: &Machine) -> String {
    machine.path("disk with a blank").display().to_string()
}

fn of<'a>(measured: &'a Measurement, path: &str) -> &'a Disk {
    measured.disks.iter().find(|disk| disk.path == path).unwrap_or_else(|| panic!("no {path} in {measured:?}"))
}

const MOUNT: &str = "mount -t tmpfs -o size=4m,nr_inodes=100 none \"$disk\" || exit 9";

#[tokio::test]
async fn a_file_system_that_fills_is_measured_as_it_is() {
    if !may_mount() {
        return;
    }
    for shell in ["/bin/sh", "busybox sh"] {
        let check = async |fill: &str, free: std::ops::RangeInclusive<u64>, inodes: std::ops::RangeInclusive<u64>| {
            let machine = machine(shell, &format!("{MOUNT}\n{fill}"));
            let path = disk(&machine);
            let measured = look(&machine, &[&path]).await;
            let found = of(&measured, &path);
            assert_eq!((found.mount.as_str(), found.space.total), (path.as_str(), 4 * MIB), "{shell}: {measured:?}");
            assert!(free.contains(&found.space.free), "{shell}, {fill}: {found:?}");
            let left = found.inodes.unwrap();
            assert!(left.total == 100 && inodes.contains(&left.free), "{shell}, {fill}: {found:?}");
        };
        check("true", 4 * MIB..=4 * MIB, 99..=99).await;
        check("head -c 3145728 </dev/zero >\"$disk/a\"", MIB..=MIB, 98..=98).await;
        check("head -c 9000000 </dev/zero >\"$disk/a\" 2>/dev/null", 0..=0, 98..=98).await;
        check("i=0; while [ $i -lt 99 ]; do : >\"$disk/$i\"; i=$((i + 1)); done", 4 * MIB..=4 * MIB, 0..=0).await;
    }
}

#[tokio::test]
async fn everything_that_is_there_is_told_and_what_is_not_says_why() {
    for shell in ["dash", "bash", "busybox"] {
        let machine = Machine::local(shell);
        let missing = machine.path("missing").display().to_string();
        // What a shell would read otherwise is a name like any other.
        let witness = machine.path("was-here");
        let hostile = format!("/nowhere/$(touch {})'; exit", witness.display());
        let measured = look(&machine, &["/", &missing, &hostile]).await;
        let root = of(&measured, "/");
        assert!(root.space.total > 0 && root.space.free <= root.space.total, "{shell}: {root:?}");
        assert_eq!(root.mount, "/", "{shell}");
        assert_eq!(measured.disks.iter().filter(|disk| disk.path == "/").count(), 1, "watched and mounted: once");
        assert!(measured.memory.is_some_and(|memory| memory.available_bytes <= memory.total_bytes), "{measured:?}");
        let unmeasured: Vec<_> = measured.unmeasured.iter().map(|missing| missing.path.as_str()).collect();
        assert_eq!(unmeasured, [missing.as_str(), hostile.as_str()], "{shell}");
        let why = &measured.unmeasured[0].why;
        let known =
            ["No such file or directory", "can't find mount point"].map(|reason| format!("df: {missing}: {reason}"));
        assert!(known.contains(why), "{shell}: {why}");
        assert!(!witness.exists(), "{shell}");
    }
}

#[tokio::test]
async fn a_file_system_that_hangs_holds_up_nobody_for_long() {
    if !may_mount() {
        return;
    }
    // In place of an NFS server that is gone: a df that does not come back for this path.
    let hang = "mkdir \"$disk/bin\"; printf \"%s\\n\" \"#!/bin/sh\" \"case \\\"\\$*\\\" in *hanging*) sleep 600;; esac\" \"exec /bin/df \\\"\\$@\\\"\" \
                >\"$disk/bin/df\"; chmod 755 \"$disk/bin/df\"; PATH=\"$disk/bin:$PATH\"; export PATH";
    let machine = machine("/bin/sh", &format!("{MOUNT}\n{hang}"));
    let began = std::time::Instant::now();
    let measured = look(&machine, &["/hanging", "/"]).await;
    assert!(began.elapsed().as_secs() < 25, "{:?}", began.elapsed());
    assert_eq!(measured.unmeasured.len(), 1, "{measured:?}");
    assert_eq!(measured.unmeasured[0].why, "no answer within 10 s: its file system hangs");
    assert!(of(&measured, "/").space.total > 0);
}
