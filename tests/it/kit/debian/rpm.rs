//! A host of the kit passes for one of RPM's families: its own dnf or zypper is then its package manager, and a repository of the
//! test's own, served over HTTP, is what they install from. Its dpkg is of no more account.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::sync::Mutex;

use super::host::Host;
use super::repository::Suite;
use super::served::Served;
use crate::kit::machine::wait_for;

/// The package manager of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Dnf,
    Zypper,
}

impl Tool {
    fn os_release(self) -> &'static str {
        match self {
            Self::Dnf => "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.5\"\n",
            Self::Zypper => "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n",
        }
    }

    fn repositories(self) -> &'static str {
        match self {
            Self::Dnf => "/etc/yum.repos.d",
            Self::Zypper => "/etc/zypp/repos.d",
        }
    }
}

/// What such a host has beside what every host has.
pub(crate) struct Rpm<'h> {
    host: &'h Host,
    tool: Tool,
    served: Served,
    published: Mutex<Vec<(Suite, String)>>,
}

impl<'h> Rpm<'h> {
    /// From now on; its repository has the first versions.
    pub(crate) fn on(host: &'h Host, tool: Tool) -> Self {
        let rpm = Self { host, tool, served: Served::open(), published: Mutex::default() };
        let repository = format!("[kit]\nname=kit\nbaseurl={}\nenabled=1\ngpgcheck=0\n", rpm.served.url);
        host.shell(&format!(
            "rm -f /etc/os-release && echo '{}' >/etc/os-release && mkdir -p {directory} && echo '{repository}' >{directory}/kit.repo",
            tool.os_release(),
            directory = tool.repositories()
        ));
        if tool == Tool::Dnf {
            // As on many a host: dnf remarks upon a line of its configuration whenever it is called.
            host.shell("echo fastestmirror=perhaps >>/etc/dnf/dnf.conf");
        }
        rpm.publish(Suite::Stable, &["kit-release_1", "shop_1.0", "shop-tool_1.0", "shop-conf_1.0"]);
        rpm
    }

    /// Offers these (`shop_1.1`) besides what is offered; what is for security is so by an advisory.
    pub(crate) fn publish(&self, suite: Suite, packages: &[&str]) {
        let mut published = self.published.lock().expect("sound");
        published.extend(packages.iter().map(|package| (suite, (*package).to_owned())));
        let copies: String = packages.iter().map(|package| format!("cp /packages/{package}.rpm .\n")).collect();
        let advisories: String =
            published.iter().filter(|(suite, _)| *suite == Suite::Security).map(advisory).collect();
        self.host.shell(&format!(
            "mkdir -p /srv/repository && cd /srv/repository && {copies}createrepo_c --quiet .\n\
             echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?><updates>{advisories}</updates>' >/tmp/updateinfo.xml\n\
             modifyrepo_c --mdtype=updateinfo /tmp/updateinfo.xml repodata >/dev/null"
        ));
        let mut files = BTreeMap::new();
        for directory in ["", "repodata/"] {
            let path = self.host.path(&format!("/srv/repository/{directory}"));
            for file in fs::read_dir(path).expect("a directory of the host").flatten().map(|entry| entry.path()) {
                if file.is_file() {
                    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
                    files.insert(format!("/{directory}{name}"), fs::read(file).expect("a file of the host"));
                }
            }
        }
        self.served.replace(files);
    }

    /// From now on nobody answers there.
    pub(crate) fn break_off(&self) {
        self.served.break_off();
    }

    /// The installed version; with commas between them when there are several.
    pub(crate) fn version(&self, package: &str) -> String {
        let versions = self.host.shell(&format!("rpm -q --qf '%{{VERSION}}-%{{RELEASE}}\\n' {package} || :"));
        versions.lines().collect::<Vec<_>>().join(",")
    }

    /// A person on the host wants the package to stay as it is; or no more.
    pub(crate) fn hold(&self, package: &str) {
        self.host.shell(&match self.tool {
            Tool::Dnf => format!("echo exclude={package} >>/etc/dnf/dnf.conf"),
            Tool::Zypper => format!("zypper --non-interactive addlock {package}"),
        });
    }

    pub(crate) fn release(&self, package: &str) {
        self.host.shell(&match self.tool {
            Tool::Dnf => "sed -i '/^exclude=/d' /etc/dnf/dnf.conf".to_owned(),
            Tool::Zypper => format!("zypper --non-interactive removelock {package}"),
        });
    }

    /// Somebody on the host installs version 1.5 of the shop, which stops in its midst; the gate is closed.
    pub(crate) fn start_another(&self) {
        self.host.close_gate();
        let command = match self.tool {
            Tool::Dnf => "dnf -y install shop-1.5-1",
            Tool::Zypper => "zypper --non-interactive install shop=1.5-1",
        };
        self.host.start_shell(&format!("echo $$ >/run/another; exec {command}"));
        self.host.wait_at_gate();
    }

    /// Kills them, and the rpm that zypper runs; their package's script lives on until the gate is open.
    pub(crate) fn kill_another(&self) {
        // What else zypper has started may end by itself meanwhile.
        self.host.shell(match self.tool {
            Tool::Dnf => "kill -KILL $(cat /run/another)",
            Tool::Zypper => {
                "another=$(cat /run/another); children=$(cat /proc/$another/task/$another/children); kill -KILL $another
                 for child in $children; do kill -KILL $child 2>/dev/null || :; done"
            }
        });
        self.host.open_gate();
        wait_for("the package's script to end", || !self.host.shell(COMMAND_LINES).contains("/rpm-tmp."));
    }

    /// RPM is whole: each package is there once, with what it needs, and its files are those of this version.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.host.shell("rpm -qa --qf '%{NAME}\\n' | sort | uniq -d"), "");
        assert_eq!(self.host.shell("rpm -Va --nofiles --nodigest; rpm -V shop shop-tool"), "");
        if self.tool == Tool::Dnf {
            assert_eq!(self.host.shell("dnf -q -C check"), "");
        }
    }
}

const COMMAND_LINES: &str = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '";

fn advisory((_, package): &(Suite, String)) -> String {
    let (name, version) = package.split_once('_').expect("a name and a version");
    let mut text = String::new();
    write!(
        text,
        "<update from=\"kit\" status=\"final\" type=\"security\" version=\"1\"><id>KIT-{package}</id><title>{name}</title>\
         <severity>Important</severity><issued date=\"2026-01-10 00:00:00\"/><references/><description>{name}</description>\
         <pkglist><collection short=\"kit\"><name>kit</name>"
    )
    .expect("text");
    let architecture = if name == "shop-tool" { std::env::consts::ARCH } else { "noarch" };
    write!(
        text,
        "<package name=\"{name}\" version=\"{version}\" release=\"1\" epoch=\"0\" arch=\"{architecture}\"><filename>{package}.rpm\
         </filename></package></collection></pkglist></update>"
    )
    .expect("text");
    text
}
