//! The probe `sip` as it stands in files.

use super::{SipCheck, Transport};
use crate::domain::probe::parse::tests::read;
use crate::domain::probe::{Check, Probe};

fn probe(inside: &str) -> String {
    format!("probe = {{ sip = {{ {inside} }} }}")
}

#[test]
fn keys_and_their_defaults() {
    let read = |inside: &str| read(&probe(inside)).unwrap().check;
    let usual = SipCheck { address: "$ADDRESS:5060".to_owned(), transport: Transport::Udp, uri: None, status: 200 };
    assert_eq!(read("address = \"$ADDRESS:5060\""), Check::Sip(usual));
    let all = SipCheck {
        address: "pbx.example:5070".to_owned(),
        transport: Transport::Tcp,
        uri: Some("sip:$VAR_EXTENSION@pbx.example;transport=tcp".to_owned()),
        status: 404,
    };
    let text = "address = \"pbx.example:5070\", transport = \"tcp\", status = 404, \
                uri = \"sip:$VAR_EXTENSION@pbx.example;transport=tcp\"";
    assert_eq!(read(text), Check::Sip(all));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = read(&probe("address = \"pbx\", transport = \"tls\", uri = \"sip:a b\", status = 180")).unwrap_err();
    for wanted in ["`host:port`", "`udp`, `tcp`", "a SIP URI", "200"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    for uri in ["sip:", "tel:1", "sip:<a>", "sip:a\\r\\nX: y", "sip:$OTHER"] {
        assert!(read(&probe(&format!("address = \"h:1\", uri = \"{uri}\""))).is_err(), "{uri}");
    }
}

#[test]
fn a_plan_keeps_what_was_asked() {
    let probe = read(&probe("address = \"h:5060\", transport = \"tcp\"")).unwrap();
    let kept = serde_json::to_string(&probe).unwrap();
    assert_eq!(serde_json::from_str::<Probe>(&kept).unwrap(), probe, "{kept}");
}
