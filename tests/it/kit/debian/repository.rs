//! An apt repository of a test's own: what is published can be changed at any time, and lies in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use turnus::domain::id::ContentHash;

use super::Root;
use super::served::Served;

/// Where a package is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Suite {
    Stable,
    /// Labelled as Debian labels its own.
    Security,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Security => "security",
        }
    }

    fn labels(self) -> &'static str {
        match self {
            Self::Stable => "Origin: Shop\nLabel: Shop Releases\nSuite: stable\nCodename: stable\n",
            Self::Security => "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: security\n",
        }
    }
}

/// Served over HTTP as long as the test's process lives.
pub(crate) struct Repository {
    root: Root,
    served: Served,
    published: Mutex<Vec<(Suite, String)>>,
}

impl Repository {
    /// With all packages of the kit in their first version.
    pub(crate) fn open(root: &Root) -> Self {
        let repository = Self { root: root.clone(), served: Served::open(), published: Mutex::default() };
        for name in ["shop", "shop-legacy", "shop-tool", "shop-conf", "shop-question"] {
            repository.add(Suite::Stable, &format!("{name}_1.0"));
        }
        repository.index();
        repository
    }

    /// Offers these (`shop_1.1`) besides what is offered.
    pub(crate) fn publish(&self, suite: Suite, packages: &[&str]) {
        packages.iter().for_each(|package| self.add(suite, package));
        self.index();
    }

    /// Offers this no more.
    pub(crate) fn withdraw(&self, package: &str) {
        self.published.lock().expect("sound").retain(|(_, published)| published != package);
        self.index();
    }

    /// From now on nobody answers there: every request is hung up on.
    pub(crate) fn break_off(&self) {
        self.served.break_off();
    }

    pub(crate) fn url(&self) -> &str {
        &self.served.url
    }

    fn add(&self, suite: Suite, package: &str) {
        self.published.lock().expect("sound").push((suite, package.to_owned()));
    }

    fn index(&self) {
        let mut files = BTreeMap::new();
        let published = self.published.lock().expect("sound");
        for suite in [Suite::Stable, Suite::Security] {
            let mut index = String::new();
            for (_, name) in published.iter().filter(|(of, _)| *of == suite) {
                let (file, content, control) = self.root.package(name);
                let hash = ContentHash::of(&content);
                let (length, hash) = (content.len(), hash.as_str());
                index += &format!("{control}Filename: pool/{file}\nSize: {length}\nSHA256: {hash}\n\n");
                files.insert(format!("/pool/{file}"), content);
            }
            let architecture = native_architecture(&self.root);
            let path = format!("main/binary-{architecture}/Packages");
            let (length, hash) = (index.len(), ContentHash::of(index.as_bytes()));
            let release = format!(
                "{}Architectures: {architecture}\nComponents: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {} {length} {path}\n",
                suite.labels(),
                hash.as_str(),
            );
            files.insert(format!("/dists/{}/{path}", suite.name()), index.into_bytes());
            files.insert(format!("/dists/{}/Release", suite.name()), release.into_bytes());
        }
        self.served.replace(files);
    }
}

/// As the root's own packages say.
fn native_architecture(root: &Root) -> String {
    let (file, ..) = root.package("shop-tool_1.0");
    file.trim_end_matches(".deb").rsplit('_').next().expect("an architecture").to_owned()
}
