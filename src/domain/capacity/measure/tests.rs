//! Answers of real hosts, and what they mean: one file each in `tests/data/capacity/`.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::{any, prop_assert, proptest};
use serde::Deserialize;

use super::parse;
use crate::domain::capacity::Measurement;
use crate::domain::packages::Sections;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    why: String,
    sections: BTreeMap<String, String>,
    expected: Measurement,
}

fn sections(texts: &BTreeMap<String, String>) -> Sections {
    let mut sections = Sections::default();
    texts.iter().for_each(|(name, text)| sections.add(name.clone(), text.as_bytes()));
    sections
}

#[test]
fn what_hosts_say_becomes_what_they_have() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capacity");
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let case: Case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(!case.why.is_empty(), "a case says why it is there");
        assert_eq!(parse(&sections(&case.sections)), case.expected, "{}", path.display());
        checked += 1;
    }
    assert!(checked > 0, "no case in {}", folder.display());
}

proptest! {
    #[test]
    fn whatever_a_host_says_free_is_never_more_than_there_is(
        space in "(Filesystem[^\n]{0,20}\n)?[ -~\n]{0,80}",
        numbers in any::<[i64; 3]>(),
        memory in "[A-Za-z: 0-9\n]{0,60}",
    ) {
        let [total, used, free] = numbers;
        let texts = [
            ("path.0", "watched /a".to_owned()),
            ("space.0", space),
            ("path.1", "mounted /b".to_owned()),
            ("space.1", format!("Filesystem\ndisk {total} {used} {free} 5% /b")),
            ("memory", memory),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text)).into_iter().collect();
        let measured = parse(&sections(&texts));
        prop_assert!(measured.disks.iter().all(|disk| disk.space.free <= disk.space.total));
        prop_assert!(measured.disks.len() + measured.unmeasured.len() >= 1, "what was asked for is told of");
    }
}
