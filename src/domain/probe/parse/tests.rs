//! Probes as they stand in files.

use super::read_probe;
use crate::domain::document;
use crate::domain::probe::{Check, Patience, Probe, TcpCheck};

/// The probe in a table `probe`, or all that is wrong with it.
pub(in crate::domain::probe) fn read(text: &str) -> Result<Probe, String> {
    let (probe, problems) = document::read(text, "x.toml", |mut root| {
        let probe = root.required("probe").and_then(|value| value.table()).and_then(read_probe);
        root.finish();
        probe
    });
    let told: Vec<_> = problems.0.iter().map(ToString::to_string).collect();
    if told.is_empty() { Ok(probe.expect("a probe, or what is wrong with it")) } else { Err(told.join("\n")) }
}

#[test]
fn a_probe_has_one_kind_and_its_patience() {
    let tcp = |address: &str, greeting: Option<&str>| {
        Check::Tcp(TcpCheck { address: address.to_owned(), greeting: greeting.map(str::to_owned) })
    };
    let read_tcp = |inside: &str| read(&format!("probe = {{ tcp = {{ {inside} }} }}")).unwrap();
    assert_eq!(
        read_tcp("address = \"$ADDRESS:25\""),
        Probe { check: tcp("$ADDRESS:25", None), patience: Patience::default() }
    );
    let patience = Patience { timeout_s: 5, within_s: 120, interval_s: 2 };
    assert_eq!(
        read_tcp(
            "address = \"[::1]:$VAR_PORT\", greeting = \"220\", timeout = \"5s\", within = \"2m\", interval = \"2s\""
        ),
        Probe { check: tcp("[::1]:$VAR_PORT", Some("220")), patience }
    );
    let two = read("probe = { tcp = { address = \"h:1\" }, http = { url = \"http://h\" } }").unwrap_err();
    assert!(two.contains("the probe looks at more than one thing"), "{two}");
}

#[test]
fn addresses_have_a_host_and_a_port() {
    for address in ["h:1", "mail.example:25", "$ADDRESS:$VAR_PORT", "[::1]:22", "10.0.0.1:65535"] {
        assert!(read(&format!("probe = {{ tcp = {{ address = \"{address}\" }} }}")).is_ok(), "{address}");
    }
    for address in ["h", ":1", "h:0", "h:65536", "::1:22", "h h:1", "$x:1", "h:$", "h/x:1"] {
        let told = read(&format!("probe = {{ tcp = {{ address = \"{address}\" }} }}")).unwrap_err();
        assert!(told.contains("expected: `host:port`"), "{address}: {told}");
    }
}

#[test]
fn a_plan_that_was_made_before_patience_had_a_place_of_its_own_can_be_read() {
    let before = r#"{"http":{"url":"http://h/","status":200,"contains":null,"within_s":5}}"#;
    let probe: Probe = serde_json::from_str(before).unwrap();
    assert_eq!((probe.check.kind(), probe.patience), ("http", Patience::default()));
    let written = serde_json::to_value(&probe).unwrap();
    assert_eq!(written["within_s"], 30);
    assert_eq!(serde_json::from_value::<Probe>(written).unwrap(), probe);
}
