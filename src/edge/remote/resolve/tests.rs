//! What ssh says of real files, and which of it the built-in transport takes for its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::{NoWay, Resolved, Resolver};
use crate::domain::inventory::{Connection, Transport};
use crate::edge::remote::ssh_config::{Environment, SshSettings};

/// A user's ssh_config, with files that it may include.
struct User {
    directory: TempDir,
    settings: SshSettings,
    resolver: Resolver,
}

impl User {
    fn with(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let user_config = directory.path().join("config");
        std::fs::write(&user_config, config.replace("$DIR", &directory.path().display().to_string())).expect("written");
        let settings = SshSettings {
            user_config,
            known_hosts: PathBuf::from("/state/known hosts 100%"),
            connect_timeout_s: 11,
            keep_alive_s: 7,
            sessions_per_host: 8,
            connect_parallel: 8,
            transport: Transport::Auto,
            environment: Environment(
                [("SSH_AUTH_SOCK", "/agent"), ("LC_TIME", "hu"), ("SECRET", "x")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
            ),
            passphrase: None,
        };
        Self { directory, settings, resolver: Resolver::default() }
    }

    async fn way(&self, connection: &Connection) -> Result<Vec<Resolved>, String> {
        match self.resolver.resolve(connection, &self.settings).await {
            Ok(way) => Ok(way),
            Err(NoWay::Foreign(what)) => Err(what),
            Err(NoWay::Failed(error)) => Err(format!("failed: {error}")),
        }
    }

    async fn host(&self, address: &str) -> Resolved {
        let mut way = self.way(&Connection::to(address.to_owned())).await.expect("understood");
        assert_eq!(way.len(), 1);
        way.remove(0)
    }
}

#[tokio::test]
async fn what_the_user_says_is_taken_over() {
    let user = User::with(
        "Include $DIR/more\nMatch host *.example user carol\n  Port 2200\nHost web*\n  HostName %h.example\n  User carol\n  IdentityFile \
         \"~/keys/%r at %h\"\n  IdentitiesOnly yes\n  CertificateFile %d/c\n  UserKnownHostsFile /a/%n\n  HostKeyAlias web\n  SetEnv \
         A=b\n  SendEnv LC_*\n  ConnectTimeout 99\n",
    );
    std::fs::write(user.directory.path().join("more"), "Host web2\n  Port 2022\n").expect("written");
    let home = nix::unistd::User::from_uid(nix::unistd::getuid()).expect("asked").expect("an account").dir;
    let web = user.host("web1").await;
    assert_eq!((web.hostname.as_str(), web.user.as_str()), ("web1.example", "carol"));
    assert_eq!(web.identities, [home.join("keys/carol at web1.example")]);
    assert_eq!(web.certificates, [home.join("c")]);
    assert_eq!(web.known_hosts[..2], [Path::new("/state/known hosts 100%"), Path::new("/a/web1")]);
    assert!(web.known_hosts.contains(&PathBuf::from("/etc/ssh/ssh_known_hosts")));
    assert_eq!((web.identities_only, web.agent.as_deref()), (true, Some(Path::new("/agent"))));
    assert_eq!(web.key_alias.as_deref(), Some("web"));
    assert_eq!(web.environment, [("A".to_owned(), "b".to_owned()), ("LC_TIME".to_owned(), "hu".to_owned())]);
    // What turnus insists on.
    assert_eq!((web.connect_timeout, web.alive_interval), (Duration::from_secs(11), Duration::from_secs(7)));
    assert_eq!(user.host("web2").await.port, 2022, "from the included file");
    assert_eq!(user.host("db1").await.port, 22, "another host");
    assert_eq!(user.host("db1").await.hostname, "db1");
}

#[tokio::test]
async fn what_the_inventory_says_comes_first() {
    let user = User::with("Host *\n  Port 9\n  User carol\n  IdentityFile /k\n");
    let mut connection = Connection::to("web1".to_owned());
    connection.port = Some(2222);
    connection.identity_file = Some("/keys/a 100%".to_owned());
    connection.known_hosts = Some("/known".to_owned());
    let web = user.way(&connection).await.expect("understood").remove(0);
    assert_eq!((web.port, web.user.as_str(), web.identities_only), (2222, "carol", true));
    assert_eq!(web.identities[0], Path::new("/keys/a 100%"));
    assert_eq!(web.known_hosts[0], Path::new("/known"));
}

#[tokio::test]
async fn jump_hosts_are_machines_of_their_own() {
    let user = User::with("Host web*\n  ProxyJump bob@gate:2200,inner\nHost inner\n  User dora\n  HostName 10.0.0.2\n");
    let way = user.way(&Connection::to("web1".to_owned())).await.expect("understood");
    let places: Vec<_> =
        way.iter().map(|machine| (machine.user.as_str(), machine.hostname.as_str(), machine.port)).collect();
    let own = nix::unistd::User::from_uid(nix::unistd::getuid()).expect("asked").expect("an account").name;
    assert_eq!(places, [("bob", "gate", 2200), ("dora", "10.0.0.2", 22), (own.as_str(), "web1", 22)]);

    // The inventory's hops, with their own files of known keys.
    let mut connection = Connection::to("web9".to_owned());
    let mut hop = Connection::to("fe80::1".to_owned());
    (hop.port, hop.known_hosts) = (Some(222), Some("/hop".to_owned()));
    connection.proxy_jump = vec![hop];
    let way = user.way(&connection).await.expect("understood");
    assert_eq!((way[0].hostname.as_str(), way[0].port, way.len()), ("fe80::1", 222, 2));
    assert_eq!(way[0].known_hosts[0], Path::new("/hop"));

    let user = User::with("Host web1\n  ProxyJump gate\nHost gate\n  ProxyJump outer\n");
    let told = user.way(&Connection::to("web1".to_owned())).await;
    assert_eq!(told, Err("ProxyJump of a jump host".to_owned()));
}

#[tokio::test]
async fn what_is_not_understood_is_named() {
    for (config, named) in [
        ("ProxyCommand nc %h %p", "proxycommand nc %h %p"),
        ("Ciphers aes256-ctr", "ciphers aes256-ctr"),
        ("KexAlgorithms +diffie-hellman-group1-sha1", "kexalgorithms "),
        ("BindAddress 127.0.0.1", "bindaddress 127.0.0.1"),
        ("ForwardAgent yes", "forwardagent yes"),
        ("PKCS11Provider /lib/p.so", "pkcs11provider /lib/p.so"),
        ("Compression yes", "compression yes"),
        ("Match exec \"true\"\n  Port 22", "Match exec"),
        ("IdentityFile ~/%C", "%C in `~/%C`"),
        ("CanonicalizeHostname yes", "canonicalizehostname "),
        ("ProxyJump gate-%h", "ProxyJump gate-%h"),
        ("ProxyJump ssh://bob@gate:2200,inner", "ProxyJump "),
        ("UserKnownHostsFile \"/x/my hosts\"", "the file `hosts`"),
        ("IdentityFile ~nobody/key", "the file `~nobody/key`"),
        ("Nonsense 1", "failed: can't use ssh:"),
    ] {
        let told = User::with(config).way(&Connection::to("web1".to_owned())).await.expect_err(config);
        assert!(told.starts_with(named), "{config}: {told}");
    }
}

#[tokio::test]
async fn a_program_that_hangs_is_given_up_with_ssh() {
    let user = User::with("Match exec \"echo $$ >$DIR/pid; exec sleep 300\"\n  Port 22\n");
    let told = user.directory.path().join("pid");
    let read_pid = || std::fs::read_to_string(&told).ok().and_then(|text| text.trim().parse::<i32>().ok());
    let begun = async {
        while read_pid().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let web = Connection::to("web1".to_owned());
    tokio::select! {
        told = user.way(&web) => panic!("{told:?}"),
        () = begun => {}
    }
    let pid = read_pid().expect("told");
    // A process that was killed has no command line any more, even before somebody asks how it ended.
    let is_at_work = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty());
    for _ in 0..100 {
        if !is_at_work() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    panic!("it is still at work");
}

#[tokio::test]
async fn what_changes_nothing_is_no_reason() {
    let user = User::with(
        "Host *\n  GSSAPIAuthentication yes\n  HashKnownHosts yes\n  LogLevel DEBUG\n  VisualHostKey yes\n  ControlMaster auto\n  \
         ControlPath ~/x\n  ControlPersist 10m\n  BindAddress none\n  LocalForward 1 localhost:1\n  RemoteCommand true\n  StrictHostKeyChecking no\n  AddKeysToAgent yes\n",
    );
    assert_eq!(user.host("web1").await.port, 22);
    // With a ticket, GSSAPI would have a say.
    let mut with_ticket = User::with("GSSAPIAuthentication yes\n");
    with_ticket.settings.environment.0.push(("KRB5CCNAME".to_owned(), "FILE:/t".to_owned()));
    let told = with_ticket.way(&Connection::to("web1".to_owned())).await;
    assert_eq!(told, Err("gssapiauthentication yes".to_owned()));
}

/// A thousand hosts are not a thousand questions, unless the files tell them apart.
#[tokio::test]
async fn one_answer_does_for_all_hosts_where_nothing_tells_them_apart() {
    let user = User::with("Host *\n  Port 9\n");
    assert_eq!(user.host("web1").await.port, 9);
    // Had it been asked again, the answer would differ.
    std::fs::write(&user.settings.user_config, "Host *\n  Port 10\n").expect("written");
    let other = user.host("web2").await;
    assert_eq!((other.port, other.hostname.as_str()), (9, "web2"));
    // Whoever edits it need not start a daemon anew.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    assert_eq!(user.host("web2").await.port, 10);

    let user = User::with("Host *\n  UserKnownHostsFile /known/%h\n");
    for name in ["web1", "web2"] {
        assert_eq!(user.host(name).await.known_hosts[1], Path::new("/known").join(name));
    }

    let user = User::with("Host web1\n  Port 9\n");
    assert_eq!((user.host("web1").await.port, user.host("web2").await.port), (9, 22));
}
