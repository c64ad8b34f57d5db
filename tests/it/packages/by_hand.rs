//! Runs by hand of a job that installs all that is pending.

use crate::kit::debian::repository::Suite;
use crate::kit::debian::shop::Shop;

#[test]
fn a_good_version_is_installed_a_changed_conffile_is_kept_and_the_next_run_touches_nothing() {
    let Some(shop) = Shop::open() else { return };
    shop.host.shell("echo greeting=local >/etc/shop/shop.conf");
    shop.host.shell("apt-mark auto shop-tool");
    shop.repository.publish(Suite::Stable, &["shop_1.1", "shop-conf_1.1", "shop-tool_1.1"]);
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.1 ok"));
    assert_eq!(shop.world().outcome(1, "h1"), "updated");
    let changed = ["shop 1.0 → 1.1", "shop-conf 1.0 → 1.1", "shop-tool 1.0 → 1.1"];
    assert_eq!(shop.changes(1, "look", "chosen"), changed);
    assert_eq!(shop.changes(1, "account", "installed"), changed);
    assert_eq!(shop.changes(1, "account", "not_installed"), [""; 0]);
    assert_eq!(shop.host.shell("cat /etc/shop/shop.conf"), "greeting=local\n");
    let facts = shop.result(1, "run").unwrap()["facts"].clone();
    assert_eq!((&facts["conffiles"], &facts["conffile_1"]), (&"1".into(), &"/etc/shop/shop.conf".into()), "{facts}");
    let report = shop.world().report(1).to_string();
    assert!(
        report.contains("/etc/shop/shop.conf") && report.contains("1.0") && report.contains("shop-tool"),
        "{report}"
    );
    assert_eq!(shop.host.shell("apt-mark showauto shop-tool shop"), "shop-tool\n", "marks stay as they were");
    shop.host.assert_whole();

    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.world().outcome(2, "h1"), "nothing_to_do");
    assert_eq!(shop.drained(), "drained\nfilled\n", "nothing is stopped for nothing");
    assert_eq!(shop.host.configured("1.1"), 1);
}

#[test]
fn with_replace_the_package_s_conffile_takes_the_place_and_a_rollback_brings_the_host_s_back() {
    let Some(shop) = Shop::open() else { return };
    shop.host.shell("echo greeting=local >/etc/shop/shop.conf");
    shop.repository.publish(Suite::Stable, &["shop-conf_1.1"]);
    shop.job("packages = \"all\"\nconffiles = \"replace\"", "no such answer");
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    assert_eq!(shop.world().outcome(1, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.shell("cat /etc/shop/shop.conf"), "greeting=local\n");
    assert_eq!(shop.host.version("shop-conf").as_deref(), Some("1.0"));

    shop.job("packages = \"all\"\nconffiles = \"replace\"", "shop 1.0");
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(
        shop.host.shell("cat /etc/shop/shop.conf /etc/shop/shop.conf.dpkg-old"),
        "greeting=1.1\ngreeting=local\n"
    );
    let facts = shop.result(2, "run").unwrap()["facts"].clone();
    assert_eq!(facts["conffile_1"], "/etc/shop/shop.conf", "{facts}");
}

#[test]
fn a_version_that_can_t_be_configured_is_taken_back_with_all_that_it_brought_and_removed() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.2", "shop-new_2.0", "shop-tool_1.1"]);
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    assert!(shop.log(1).contains("the database can not be migrated"), "{}", shop.log(1));
    let chosen = ["shop 1.0 → 1.2", "shop-legacy 1.0 → -", "shop-new - → 2.0", "shop-tool 1.0 → 1.1"];
    assert_eq!(shop.changes(1, "look", "chosen"), chosen);
    assert_eq!(shop.world().outcome(1, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
    for package in ["shop", "shop-legacy", "shop-tool"] {
        assert_eq!(shop.host.version(package).as_deref(), Some("1.0"), "{package}");
    }
    assert_eq!(shop.host.version("shop-new"), None);
    assert_eq!(shop.changes(1, "account", "installed"), [""; 0]);
    assert_eq!(shop.changes(1, "account", "not_installed"), chosen);
    assert_eq!(shop.drained(), "drained\nfilled\n");
    shop.host.assert_whole();
}

#[test]
fn what_is_kept_is_enough_to_go_back_when_the_repository_has_nothing_old_or_is_down() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.job("packages = \"all\"", "no such answer");
    shop.host.close_gate();
    let run = shop.start(&[]);
    shop.host.wait_at_gate();
    // From here on the repository is of no use.
    shop.repository.break_off();
    shop.host.open_gate();
    let (status, printed) = run.finish();
    assert_eq!(status, 1, "{printed}");
    assert_eq!(shop.world().outcome(1, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.0"));
    shop.host.assert_whole();
}

#[test]
fn a_version_that_installs_well_but_answers_wrongly_is_taken_back() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.3"]);
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    assert_eq!(shop.result(1, "run").unwrap()["end"]["end"], "succeeded", "the installation itself went well");
    assert_eq!(shop.world().outcome(1, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
    assert_eq!(shop.host.version("shop").as_deref(), Some("1.0"));
    shop.host.assert_whole();
}

#[test]
fn with_all_a_removal_is_made() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.4"]);
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.changes(1, "account", "installed"), ["shop 1.0 → 1.4", "shop-legacy 1.0 → -"]);
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.4 ok"));
    assert_eq!(shop.host.version("shop-legacy"), None);
    shop.host.assert_whole();
}
