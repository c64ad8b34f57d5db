//! Probes as they stand in files.

use super::{read_host_probe, read_probe};
use crate::domain::document::{self, Distinct};
use crate::domain::probe::{Check, HostProbe, OnRedBefore, Patience, Probe, TcpCheck, Watch};

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

#[test]
fn probes_of_hosts_have_names_and_say_what_a_fault_before_means() {
    let read = |text: &str| {
        let (probes, problems) = document::read(text, "x.toml", |mut root| {
            let mut names = Distinct::default();
            let tables = root.tables("probe", 10);
            let read: Vec<HostProbe> =
                tables.into_iter().filter_map(|table| read_host_probe(table, &mut names).0).collect();
            root.finish();
            read
        });
        (probes, problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let (probes, told) = read(
        "[[probe]]\nname = \"mail\"\ntcp = { address = \"$ADDRESS:25\" }\n\
         [[probe]]\nname = \"shop\"\nhttp = { url = \"http://$ADDRESS/\" }\non_red_before = \"note\"\n",
    );
    assert_eq!(told, "");
    let read_of: Vec<_> =
        probes.iter().map(|probe| (probe.name.as_str(), probe.probe.check.kind(), probe.on_red_before)).collect();
    assert_eq!(read_of, [("mail", "tcp", OnRedBefore::Hold), ("shop", "http", OnRedBefore::Note)]);
    let (_, told) = read(
        "[[probe]]\nname = \"mail\"\ntcp = { address = \"h:1\" }\n[[probe]]\nname = \"mail\"\nhttp = {}\n\
         on_red_before = \"ignore\"\nwho = 1\n",
    );
    for wanted in
        ["5:8: `mail` is there twice", "`url` is missing in `http`", "7:17", "`hold`, `note`", "8:1: unknown key `who`"]
    {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
}

#[test]
fn only_a_watch_has_a_longest_downtime() {
    let read = |text: &str| {
        let text = format!("[[probe]]\nname = \"mail\"\n{text}");
        let (probes, problems) = document::read(&text, "x.toml", |mut root| {
            let tables = root.tables("probe", 10);
            let read: Vec<HostProbe> =
                tables.into_iter().filter_map(|table| read_host_probe(table, &mut Distinct::default()).0).collect();
            root.finish();
            read
        });
        let told = problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        (probes.first().and_then(|probe| probe.watch), told)
    };
    let tcp = "tcp = { address = \"h:1\" }";
    assert_eq!(read(tcp), (None, String::new()));
    assert_eq!(read(&format!("watch = false\n{tcp}")), (None, String::new()));
    assert_eq!(read(&format!("watch = true\n{tcp}")), (Some(Watch { max_downtime_s: None }), String::new()));
    let (watch, told) = read(&format!("watch = true\nmax_downtime = \"5m\"\n{tcp}"));
    assert_eq!((watch, told.as_str()), (Some(Watch { max_downtime_s: Some(300) }), ""));
    let (_, told) = read(&format!("watch = true\nmax_downtime = \"10s\"\non = \"web\"\n{tcp}"));
    assert!(
        told.contains("4:16: `max_downtime` is 10 s, but it may take 11 s to see that the service is back"),
        "{told}"
    );
    assert!(told.contains("4:16: `max_downtime` of a probe that looks from another host"), "{told}");
    let (_, told) = read("watch = true\ntcp = { address = \"h:1\", timeout = \"20s\" }");
    assert!(told.contains("3:9: the probe is watched every 1 s, and each look may take 20 s"), "{told}");
    let (_, told) = read("watch = true\nssh = { interval = \"5s\" }");
    assert!(told.contains("3:9: the probe `ssh` is watched every 5 s") && told.contains("at least `10s`"), "{told}");
    let (_, told) = read(&format!("max_downtime = \"5m\"\n{tcp}"));
    assert!(told.contains("3:16: `max_downtime` is without `watch = true`"), "{told}");
}
