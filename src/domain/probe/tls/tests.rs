//! The probe `tls` as it stands in files.

use super::TlsCheck;
use crate::domain::probe::Check;
use crate::domain::probe::parse::tests::read;

#[test]
fn keys_and_their_defaults() {
    let tls = |inside: &str| read(&format!("[probe.tls]\n{inside}")).unwrap().check;
    let usual = TlsCheck { address: "$ADDRESS:443".to_owned(), server_name: None, days_left: 14, ca_file: None };
    assert_eq!(tls("address = \"$ADDRESS:443\""), Check::Tls(usual.clone()));
    let (server_name, ca_file) = (Some("$VAR_SITE".to_owned()), Some("/etc/ca.pem".to_owned()));
    assert_eq!(
        tls("address = \"$ADDRESS:443\"\nserver_name = \"$VAR_SITE\"\ndays_left = 0\nca_file = \"/etc/ca.pem\""),
        Check::Tls(TlsCheck { server_name, days_left: 0, ca_file, ..usual })
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "[probe.tls]\naddress = \"h\"\nserver_name = \"a/b\"\ndays_left = -1\nca_file = \"~/ca.pem\"\nport = 1";
    let told = read(text).unwrap_err();
    for expected in ["`host:port`", "a host name", "from 0 to 3650", "the absolute path", "unknown key `port`"] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}
