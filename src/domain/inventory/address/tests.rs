//! What may and may not reach an ssh command line.

use super::{parse_address, parse_email, parse_hop, parse_host_directory, parse_local_path, parse_user};
use crate::domain::inventory::Connection;

#[test]
fn addresses() {
    let check = |text: &str, accepted| assert_eq!(parse_address(text).is_some(), accepted, "{text:?}");
    for good in ["web1", "web1.nordwind.example", "192.0.2.1", "2001:db8::1", "::1", "fe80::1%eth0", "web_1"] {
        check(good, true);
    }
    let options = ["-oProxyCommand=id", "-", "_x"];
    let shell = ["a b", "a;b", "a$b", "a`b", "a'b", "a\"b", "a\nb", "a\0b", "a\tb", "a/b", "a@b", "a%h"];
    let forms = ["", "[::1]", "web1:22", "fe80::1%", "fe80::1%-o", "fe80::1%a b", ":::", "wäb"];
    for bad in options.into_iter().chain(shell).chain(forms) {
        check(bad, false);
    }
    check(&"a".repeat(253), true);
    check(&"a".repeat(254), false);
}

#[test]
fn users() {
    let check = |text: &str, accepted| assert_eq!(parse_user(text).is_some(), accepted, "{text:?}");
    for good in ["root", "turnus", "_apt", "first.last", "a-b", "user+tag", "R2"] {
        check(good, true);
    }
    for bad in
        ["", "-oX", "-l", "a b", "a@b", "a/b", "a\\b", "a'b", "a\"b", "a$b", "a;b", "a&b", "a\nb", "a\0", "é", ".a"]
    {
        check(bad, false);
    }
    check(&"a".repeat(65), false);
}

#[test]
fn hops() {
    let check = |text: &str, expected: Option<(Option<&str>, &str, Option<u16>)>| {
        let expected = expected.map(|(user, address, port)| Connection {
            user: user.map(str::to_owned),
            port,
            ..Connection::to(address.to_owned())
        });
        assert_eq!(parse_hop(text), expected, "{text:?}");
    };
    check("gateway", Some((None, "gateway", None)));
    check("root@gateway", Some((Some("root"), "gateway", None)));
    check("root@gateway.example:2222", Some((Some("root"), "gateway.example", Some(2222))));
    check("192.0.2.1:22", Some((None, "192.0.2.1", Some(22))));
    check("[2001:db8::1]:22", Some((None, "2001:db8::1", Some(22))));
    check("me@[2001:db8::1]", Some((Some("me"), "2001:db8::1", None)));
    check("2001:db8::1", Some((None, "2001:db8::1", None)));
    for bad in ["", "@gateway", "root@", "a@b@c", "gateway:", "gateway:0", "gateway:65536", "gateway:+22", "gateway:x"]
    {
        check(bad, None);
    }
    for bad in
        ["-oProxyCommand=id", "root@-oX", "-l@gateway", "a,b", "ssh://gateway", "[gateway]:22", "[::1", "[::1]22"]
    {
        check(bad, None);
    }
}

#[test]
fn paths() {
    let local = |text: &str, accepted| assert_eq!(parse_local_path(text).is_some(), accepted, "{text:?}");
    local("/etc/turnus/key", true);
    local("~/.ssh/id ed25519", true);
    for bad in ["", "key", "./key", "~root/key", "-i", "/a\"b", "/a'b", "/a\nb", "/a\0", "/a\\b"] {
        local(bad, false);
    }
    let remote = |text: &str, accepted| assert_eq!(parse_host_directory(text).is_some(), accepted, "{text:?}");
    remote("/var/lib/turnus", true);
    for bad in ["", "/", "//", "turnus", "~/turnus", "/a b", "/a$b", "/a;b", "/a/../b", "/a\nb", "/a'b"] {
        remote(bad, false);
    }
}

#[test]
fn emails() {
    let check = |text: &str, accepted| assert_eq!(parse_email(text).is_some(), accepted, "{text:?}");
    for good in ["it@nordwind.example", "first.last+tag@a-b.example", "root@localhost", "büro@müller.example"] {
        check(good, true);
    }
    for bad in ["", "it", "@x", "it@", "a@b@c", "a b@c", "a@b c", "a@-b.example", "a@b..c", ".a@b", "a@b\nBcc: c"] {
        check(bad, false);
    }
    check(&format!("{}@{}.example", "a".repeat(64), "b".repeat(63)), true);
    for bad in [format!("{}@b.example", "a".repeat(65)), format!("a@{}.example", "b".repeat(64))] {
        check(&bad, false);
    }
    for bad in ["it@\u{661}\u{662}.example", "it@\u{bd}.example", "it@\u{b2}"] {
        check(bad, false);
    }
    for bad in ["<a@b.example>", "a@b.example,c@d.example", "a@b.example>", "\"a\"@b.example"] {
        check(bad, false);
    }
}
