//! The probe `dns` as it stands in files.

use super::{DnsCheck, RecordKind};
use crate::domain::probe::parse::tests::read;
use crate::domain::probe::{Check, Probe};

fn read_dns(inside: &str) -> Result<DnsCheck, String> {
    read(&format!("[probe.dns]\n{inside}")).map(|probe| match probe.check {
        Check::Dns(check) => check,
        other => panic!("{other:?}"),
    })
}

#[test]
fn records_are_read_in_the_form_in_which_they_are_compared() {
    let check = read_dns("name = \"$VAR_SITE\"\ntype = \"MX\"\nequals = [\"10 Mail.Example.\"]\nserver = \"$ADDRESS\"")
        .unwrap();
    let expected = DnsCheck {
        name: "$VAR_SITE".to_owned(),
        kind: RecordKind::Mx,
        equals: Some(vec!["10 mail.example".to_owned()]),
        contains: None,
        server: Some("$ADDRESS:53".to_owned()),
    };
    assert_eq!(check, expected);
    let records = |kind: &str, record: &str| {
        read_dns(&format!("name = \"x\"\ntype = \"{kind}\"\nequals = [\"{record}\"]")).map(|check| check.equals)
    };
    for (kind, record, plain) in [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("A", "$ADDRESS", "$ADDRESS"),
        ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
        ("AAAA", "[::1]", "::1"),
        ("TXT", "costs $5.", "costs $5."),
        ("SRV", "0 5 5060 Sip.Example.", "0 5 5060 sip.example"),
        ("CNAME", "Shop.example", "shop.example"),
    ] {
        assert_eq!(records(kind, record), Ok(Some(vec![plain.to_owned()])), "{kind} {record}");
    }
    for (kind, record, rule) in [
        ("A", "::1", "an IPv4 address"),
        ("AAAA", "192.0.2.1", "an IPv6 address"),
        ("MX", "mail.example", "preference and host"),
        ("SRV", "5 5060 sip.example", "priority, weight, port and host"),
        ("NS", "ns1 ns2", "a name"),
    ] {
        assert!(records(kind, record).is_err_and(|told| told.contains(rule)), "{kind} {record}");
    }
}

#[test]
fn servers_have_a_port_or_the_usual_one() {
    for (text, place) in
        [("192.0.2.1", "192.0.2.1:53"), ("ns:5353", "ns:5353"), ("[::1]", "[::1]:53"), ("[::1]:9", "[::1]:9")]
    {
        let check = read_dns(&format!("name = \"x\"\ntype = \"A\"\nserver = \"{text}\"")).unwrap();
        assert_eq!(check.server.as_deref(), Some(place));
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told =
        read_dns("name = \"a b\"\ntype = \"a\"\nequals = [\"x\"]\ncontains = \"\"\nserver = \"h/x\"").unwrap_err();
    for expected in ["a name such as", "`A`", "`equals` says all", "text that a record contains", "`host:port`"] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    let told = read_dns("name = \"x\"\ntype = \"A\"\nequals = []").unwrap_err();
    assert!(told.contains("`equals` is empty"), "{told}");
}

#[test]
fn a_plan_keeps_what_was_asked() {
    let probe = read("[probe.dns]\nname = \"x\"\ntype = \"AAAA\"\ncontains = \"db8\"").unwrap();
    let written = serde_json::to_value(&probe).unwrap();
    assert_eq!(written["dns"]["type"], "AAAA");
    assert_eq!(serde_json::from_value::<Probe>(written).unwrap(), probe);
}
