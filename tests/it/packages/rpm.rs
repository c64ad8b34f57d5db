//! The same with real dnf (4) and zypper, as Debian has them: what was approved and nothing else, the way back, and others at work.

use crate::kit::debian::repository::Suite;
use crate::kit::debian::rpm::{Rpm, Tool};
use crate::kit::debian::shop::{Shop, TOMORROW};

/// A shop on a host of this family.
#[track_caller]
fn with(tool: Tool, test: impl FnOnce(&Shop, &Rpm<'_>)) {
    if let Some(shop) = Shop::open() {
        let rpm = Rpm::on(&shop.host, tool);
        test(&shop, &rpm);
    }
}

#[test]
fn dnf_installs_what_was_approved_in_its_window_and_nothing_else() {
    with(Tool::Dnf, |shop, rpm| approve_and_install(shop, rpm, "dnf"));
}

#[test]
fn zypper_installs_what_was_approved_in_its_window_and_nothing_else() {
    with(Tool::Zypper, |shop, rpm| approve_and_install(shop, rpm, "zypper"));
}

fn approve_and_install(shop: &Shop, rpm: &Rpm<'_>, tool: &str) {
    shop.job("packages = \"approved\"", "shop ");
    shop.apply_with_window();
    let date = shop.provider.plan("h1", TOMORROW);
    rpm.publish(Suite::Security, &["shop_1.1+fix1"]);
    rpm.publish(Suite::Stable, &["shop-tool_1.1", "shop-conf_1.1"]);
    rpm.hold("shop-conf");
    shop.succeed(&["review", "collect", "nordwind"]);
    let shown = shop.succeed(&["review", "show", "nordwind"]);
    for line in [
        &format!("h1 ({tool}): 2 pending"),
        "shop 1.0-1 → 1.1+fix1-1 from kit, security\n",
        "shop-tool 1.0-1 → 1.1-1 from kit\n",
        "stays: shop-conf 1.0-1, 1.1-1 is there (on hold on the host)",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    shop.succeed(&["review", "approve", "nordwind", "--by", "Jana"]);

    // Meanwhile: something newer than what was approved, and something that nobody was asked about.
    rpm.publish(Suite::Stable, &["shop-tool_1.2"]);
    rpm.release("shop-conf");
    shop.let_it_come(date);

    assert_eq!(shop.world().outcome(1, "h1"), "updated", "{}", shop.log(1));
    assert_eq!(shop.changes(1, "account", "installed"), ["shop 1.0-1 → 1.1+fix1-1", "shop-tool 1.0-1 → 1.1-1"]);
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.1+fix1 ok"));
    assert_eq!(rpm.version("shop"), "1.1+fix1-1");
    assert_eq!(rpm.version("shop-tool"), "1.1-1");
    assert_eq!(rpm.version("shop-conf"), "1.0-1");
    let left = [shop.changes(1, "account", "left"), shop.changes(1, "account", "newly_available")].concat();
    for change in ["shop-conf 1.0-1 → 1.1-1", "shop-tool 1.1-1 → 1.2-1"] {
        assert!(left.contains(&change.to_owned()), "{change}: {left:?}");
    }
    let report = shop.world().report(1).to_string();
    assert!(report.contains("Jana") && report.contains("1.1+fix1-1") && report.contains("1.2-1"), "{report}");
    assert_eq!(shop.drained(), "drained\nfilled\n");
    rpm.assert_whole();
}

#[test]
fn dnf_takes_back_a_version_whose_script_fails_and_what_came_with_it() {
    with(Tool::Dnf, fail_and_go_back);
}

#[test]
fn zypper_takes_back_a_version_whose_script_fails_and_what_came_with_it() {
    with(Tool::Zypper, fail_and_go_back);
}

/// RPM itself installs such a version all the same, and goes on.
fn fail_and_go_back(shop: &Shop, rpm: &Rpm<'_>) {
    shop.host.shell("echo greeting=local >/etc/shop/shop.conf");
    shop.job("packages = \"approved\"\nconffiles = \"replace\"", "shop ");
    rpm.publish(Suite::Security, &["shop_1.2", "shop-tool_1.1", "shop-conf_1.1"]);
    rpm.publish(Suite::Stable, &["shop-tool_1.2"]);
    let (status, printed) = shop.run(&["--approve", "security", "--by", "Jana"]);
    assert_eq!(status, 1, "{printed}");
    assert!(shop.log(1).contains("the database can not be migrated"), "{}", shop.log(1));
    // An older version for security is pending no more once a newer one is there: it is for security as well.
    let chosen = ["shop 1.0-1 → 1.2-1", "shop-conf 1.0-1 → 1.1-1", "shop-tool 1.0-1 → 1.2-1"];
    assert_eq!(shop.changes(1, "look", "chosen"), chosen);
    assert_eq!(shop.result(1, "run").unwrap()["end"]["end"], "failed");
    assert_eq!(shop.world().outcome(1, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
    for package in ["shop", "shop-tool", "shop-conf"] {
        assert_eq!(rpm.version(package), "1.0-1", "{package}");
    }
    assert_eq!(shop.host.shell("cat /etc/shop/shop.conf"), "greeting=local\n");
    assert_eq!(shop.changes(1, "account", "installed"), [""; 0]);
    assert_eq!(shop.changes(1, "account", "not_installed"), chosen);
    assert_eq!(shop.drained(), "drained\nfilled\n");
    rpm.assert_whole();
}

#[test]
fn what_dnf_kept_is_enough_to_go_back_from_a_wrong_answer_when_the_repository_is_down() {
    with(Tool::Dnf, answer_wrongly_and_go_back);
}

#[test]
fn what_zypper_kept_is_enough_to_go_back_from_a_wrong_answer_when_the_repository_is_down() {
    with(Tool::Zypper, answer_wrongly_and_go_back);
}

fn answer_wrongly_and_go_back(shop: &Shop, rpm: &Rpm<'_>) {
    rpm.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.job("packages = \"all\"", "no such answer");
    shop.host.close_gate();
    let run = shop.start(&[]);
    shop.host.wait_at_gate();
    // From here on the repository is of no use.
    rpm.break_off();
    shop.host.open_gate();
    let (status, printed) = run.finish();
    assert_eq!(status, 1, "{printed}");
    assert_eq!(shop.result(1, "run").unwrap()["end"]["end"], "succeeded", "the installation itself went well");
    assert_eq!(shop.host.configured("1.5"), 1);
    assert_eq!(shop.world().outcome(1, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
    assert_eq!((rpm.version("shop"), rpm.version("shop-tool")), ("1.0-1".to_owned(), "1.0-1".to_owned()));
    rpm.assert_whole();

    // Without a repository there is no list, which is not the same as an empty one.
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    let why = shop.result(2, "look").unwrap()["end"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("can't be refreshed"), "{why}");
}

#[test]
fn another_dnf_is_waited_for_but_not_for_ever_and_what_it_left_when_it_was_killed_is_left_alone_until_it_is_mended() {
    with(Tool::Dnf, |shop, rpm| meet_another(shop, rpm, "dnf -y install shop-1.5-1", "dnf remove --duplicates"));
}

#[test]
fn another_zypper_is_waited_for_but_not_for_ever_and_what_it_left_when_it_was_killed_is_left_alone_until_it_is_mended()
{
    let repair = "rpm -e NAME-VERSION for the older version";
    with(Tool::Zypper, |shop, rpm| meet_another(shop, rpm, "zypper --non-interactive install shop=1.5-1", repair));
}

fn meet_another(shop: &Shop, rpm: &Rpm<'_>, command: &str, repair: &str) {
    rpm.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.job("packages = \"all\"\nlock_wait = \"1s\"", "shop ");
    rpm.start_another();
    let why = look_in_vain(shop, 1);
    assert!(why.contains(command) && why.contains("process"), "{why}");

    rpm.kill_another();
    assert_eq!(rpm.version("shop"), "1.0-1,1.5-1");
    let why = look_in_vain(shop, 2);
    assert!(why.contains("half configured") && why.contains(repair) && why.contains("1.0-1 1.5-1"), "{why}");
    assert_eq!(shop.drained(), "", "nothing was touched");
    assert_eq!(rpm.version("shop-tool"), "1.0-1");

    shop.host.shell(match repair {
        "dnf remove --duplicates" => "dnf -y remove --duplicates",
        _ => "rpm -e shop-1.0-1",
    });
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.changes(3, "account", "installed"), ["shop-tool 1.0-1 → 1.1-1"]);
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.5 ok"));
    rpm.assert_whole();
}

/// A run that ends with its look; why it did.
#[track_caller]
fn look_in_vain(shop: &Shop, run: i64) -> String {
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    assert_eq!(shop.result(run, "keep"), None, "nothing more was begun");
    shop.result(run, "look").unwrap()["end"]["why"].as_str().unwrap().to_owned()
}

#[test]
fn dnf_5_is_told_as_one_that_turnus_can_t_use_before_anything_is_asked_of_it() {
    with(Tool::Dnf, |shop, rpm| {
        // Debian has no dnf 5; what turnus looks at is that the program is not written in Python, and what it calls itself.
        shop.host.shell("rm /usr/bin/dnf-3; printf '#!/bin/sh\\necho \"$*\" >>/run/asked; echo dnf5 version 5.2.8.1' >/usr/bin/dnf5");
        shop.host.shell("chmod 755 /usr/bin/dnf5; ln -sf dnf5 /usr/bin/dnf");
        rpm.publish(Suite::Stable, &["shop_1.1+fix1"]);
        shop.job("packages = \"approved\"", "shop ");
        shop.apply_with_window();
        shop.provider.plan("h1", TOMORROW);
        shop.succeed(&["review", "collect", "nordwind"]);
        let shown = shop.succeed(&["review", "show", "nordwind"]);
        assert!(shown.contains("h1: turnus can't use this host's dnf: dnf5 version 5.2.8.1\n"), "{shown}");
        assert!(shown.contains("hint: turnus knows dnf 4; update such a host with a step `run`"), "{shown}");
        assert_eq!(shop.host.shell("cat /run/asked"), "--version\n");
    });
}
