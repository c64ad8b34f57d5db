//! The whole way: collect, show, approve, run, report; and what is not approved is not installed.

use serde_json::Value;
use turnus::domain::id::OccurrenceId;

use crate::kit::debian::repository::Suite;
use crate::kit::debian::shop::{Shop, TOMORROW};
use crate::kit::provider::Span;

/// A shop whose job installs what was approved, and a date of it that is yet to come.
fn open(lines: &str) -> Option<(Shop, OccurrenceId)> {
    let shop = Shop::open()?;
    shop.job(&format!("packages = \"approved\"\n{lines}"), "shop ");
    shop.apply_with_window();
    let date = shop.provider.plan("h1", TOMORROW);
    Some((shop, date))
}

#[test]
fn what_was_approved_is_installed_in_its_window_and_nothing_else() {
    let Some((shop, date)) = open("") else { return };
    shop.repository.publish(Suite::Security, &["shop_1.1+fix1"]);
    shop.repository.publish(Suite::Stable, &["shop-tool_1.1", "shop-conf_1.1"]);
    shop.succeed(&["review", "collect", "nordwind"]);
    let shown = shop.succeed(&["review", "show", "nordwind"]);
    let line =
        |name: &str| shown.lines().position(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {shown}"));
    assert!(line("1.1+fix1") < line("shop-tool"), "security first: {shown}");
    let json: Value = serde_json::from_str(&shop.succeed(&["review", "show", "nordwind", "--format", "json"])).unwrap();
    assert!(json.to_string().contains("1.1+fix1"), "{json}");
    shop.succeed(&["review", "approve", "nordwind", "--except", "shop-conf", "--by", "Jana"]);

    // Meanwhile: a newer version takes the place of an approved one, and of another nothing old is left.
    shop.repository.publish(Suite::Stable, &["shop-tool_1.2", "shop-question_1.1"]);
    shop.let_it_come(date);

    assert_eq!(shop.world().outcome(1, "h1"), "updated");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.1+fix1 ok"));
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.1"), "as it was approved, as long as it is offered");
    for package in ["shop-conf", "shop-question"] {
        assert_eq!(shop.host.version(package).as_deref(), Some("1.0"), "{package} was not approved");
    }
    assert_eq!(shop.changes(1, "account", "installed"), ["shop 1.0 → 1.1+fix1", "shop-tool 1.0 → 1.1"]);
    let left = shop.changes(1, "account", "left");
    assert!(left.contains(&"shop-conf 1.0 → 1.1".to_owned()), "{left:?}");
    let new = shop.changes(1, "account", "newly_available");
    assert!(new.contains(&"shop-tool 1.1 → 1.2".to_owned()), "{new:?}");
    let report = shop.world().report(1).to_string();
    assert!(report.contains("Jana") && report.contains("shop-conf") && report.contains("1.1+fix1"), "{report}");
    shop.host.assert_whole();
}

#[test]
fn an_approved_version_that_is_gone_is_left_and_with_hold_the_whole_host_is() {
    for (drift, outcome, tool) in [("install-approved-only", "updated", "1.1"), ("hold", "skipped", "1.0")] {
        let Some((shop, date)) = open(&format!("drift = \"{drift}\"")) else { return };
        shop.repository.publish(Suite::Stable, &["shop_1.1", "shop-tool_1.1"]);
        shop.succeed(&["review", "collect", "nordwind"]);
        shop.succeed(&["review", "approve", "nordwind", "--by", "Jana"]);
        shop.repository.publish(Suite::Stable, &["shop_1.3"]);
        shop.repository.withdraw("shop_1.1");
        shop.let_it_come(date);
        assert_eq!(shop.world().outcome(1, "h1"), outcome, "{drift}");
        assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"), "{drift}");
        assert_eq!(shop.host.version("shop-tool").as_deref(), Some(tool), "{drift}");
        let report = shop.world().report(1).to_string();
        assert!(report.contains("1.3"), "the difference is shown: {report}");
        shop.host.assert_whole();
    }
}

#[test]
fn a_removal_that_nobody_approved_holds_back_what_needs_it() {
    let Some((shop, date)) = open("") else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.4", "shop-tool_1.1"]);
    shop.succeed(&["review", "collect", "nordwind"]);
    let shown = shop.succeed(&["review", "show", "nordwind"]);
    assert!(shown.contains("shop-legacy"), "{shown}");
    shop.succeed(&["review", "approve", "nordwind", "--except", "shop-legacy", "--by", "Jana"]);
    shop.let_it_come(date);
    assert_eq!(shop.world().outcome(1, "h1"), "updated");
    assert_eq!(shop.changes(1, "account", "installed"), ["shop-tool 1.0 → 1.1"]);
    assert_eq!(shop.host.version("shop-legacy").as_deref(), Some("1.0"));
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));

    // Alone it is the whole list, and the host is held back.
    let (status, printed) = {
        let second = shop.provider.plan("h1", Span { start: 2 * 86_400, latest_start: 180_000, end: 190_000 });
        shop.succeed(&["review", "collect", "nordwind"]);
        shop.succeed(&["review", "approve", "nordwind", "--only", "shop", "--by", "Jana"]);
        shop.let_it_come(second);
        (shop.world().outcome(2, "h1"), shop.world().report(2).to_string())
    };
    assert_eq!(status, "skipped", "{printed}");
    assert!(printed.contains("shop-legacy"), "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
}

#[test]
fn by_hand_what_is_pending_is_approved_with_the_run_and_changes_after_that_are_not_installed() {
    let Some(shop) = Shop::open() else { return };
    shop.job("packages = \"approved\"", "shop ");
    shop.repository.publish(Suite::Security, &["shop_1.1+fix1"]);
    shop.repository.publish(Suite::Stable, &["shop-tool_1.1"]);
    let refused = shop.run(&[]);
    assert_eq!(refused.0, 2, "{}", refused.1);
    assert!(refused.1.contains("--approve"), "{}", refused.1);

    shop.host.shell(": >/run/closed-look");
    let run = shop.start(&["--approve", "security", "--by", "Jana"]);
    crate::kit::machine::wait_for("the first step", || shop.host.exists("/run/at-look"));
    shop.repository.publish(Suite::Stable, &["shop-conf_1.1"]);
    shop.host.shell("rm /run/closed-look");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.changes(1, "account", "installed"), ["shop 1.0 → 1.1+fix1"]);
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.0"));
    assert_eq!(shop.host.version("shop-conf").as_deref(), Some("1.0"));
    shop.host.assert_whole();
}
