//! Hosts whose packages somebody else is at work on, or left half done; and packages that ask.

use crate::kit::debian::repository::Suite;
use crate::kit::debian::shop::Shop;
use crate::kit::machine::wait_for;

#[test]
fn another_s_installation_is_waited_for_but_not_for_ever() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.host.shell("apt-get -qq update");
    shop.host.close_gate();
    shop.host.start_shell("exec apt-get -y -o Dpkg::Use-Pty=0 install shop=1.5");
    shop.host.wait_at_gate();

    shop.job("packages = \"all\"\nlock_wait = \"3s\"", "shop ");
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    let why = shop.result(1, "look").unwrap()["end"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("apt-get -y") && why.contains("install shop=1.5") && why.contains("process"), "{why}");
    assert_eq!(shop.result(1, "keep"), None, "nothing more was begun");
    assert_eq!(shop.drained(), "", "nothing was touched");
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.0"));

    shop.job("packages = \"all\"", "shop ");
    let run = shop.start(&[]);
    wait_for("the look to wait", || shop.host.runs("sleep 2"));
    assert_eq!(shop.drained(), "");
    shop.host.open_gate();
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.changes(2, "account", "installed"), ["shop-tool 1.0 → 1.1"]);
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.5 ok"));
    assert_eq!(shop.host.configured("1.5"), 1, "the other's installation came to its end");
    shop.host.assert_whole();
}

#[test]
fn a_host_on_which_dpkg_was_killed_is_left_alone_until_it_is_mended() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.host.shell("apt-get -qq update");
    shop.host.close_gate();
    shop.host.start_shell("exec apt-get -y -o Dpkg::Use-Pty=0 install shop=1.5");
    shop.host.wait_at_gate();
    shop.host.shell("start-stop-daemon --stop --signal KILL --oknodo --exec /usr/bin/apt-get; start-stop-daemon --stop --signal KILL --exec /usr/bin/dpkg");

    // Its script lives on without a lock.
    shop.job("packages = \"all\"\nlock_wait = \"1s\"", "shop ");
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("shop.postinst"), "{printed}");

    shop.host.open_gate();
    wait_for("the script to end", || {
        !shop.host.shell("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '").contains("shop.postinst")
    });
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    let why = shop.result(2, "look").unwrap()["end"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("half configured") && why.contains("dpkg --configure -a"), "{why}");
    assert_eq!(shop.drained(), "", "nothing was touched");
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.0"));

    shop.host.shell("dpkg --configure -a");
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.1"));
    shop.host.assert_whole();
}

#[test]
fn a_repository_that_does_not_answer_is_an_obstacle_and_not_an_empty_list() {
    let Some(shop) = Shop::open() else { return };
    shop.host.shell("apt-get -qq update");
    shop.repository.break_off();
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    let why = shop.result(1, "look").unwrap()["end"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("can't be refreshed"), "{why}");
    assert_eq!(shop.drained(), "");
}

#[test]
fn no_question_of_a_package_makes_a_run_hang() {
    let Some(shop) = Shop::open() else { return };
    shop.host.shell("echo greeting=local >/etc/shop/shop.conf");
    shop.repository.publish(Suite::Stable, &["shop-conf_1.1", "shop-question_1.1"]);
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(shop.changes(1, "account", "installed"), ["shop-conf 1.0 → 1.1", "shop-question 1.0 → 1.1"]);

    // Who reads from a terminal finds none.
    shop.repository.publish(Suite::Stable, &["shop_1.6"]);
    let (status, printed) = shop.run(&[]);
    assert_eq!(status, 1, "{printed}");
    assert!(shop.log(2).contains("/dev/tty"), "{}", shop.log(2));
    assert_eq!(shop.world().outcome(2, "h1"), "failed_and_rolled_back", "{printed}");
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.0 ok"));
    shop.host.assert_whole();
}
