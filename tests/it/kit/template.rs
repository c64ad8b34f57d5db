//! Databases as they are when they are new, made once and copied: making one costs seconds, and nearly every test needs one.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::PgConnection;
use turnus::domain::id::ContentHash;
use turnus::edge::store::cluster::Cluster;
use turnus::edge::store::{Store, Target};

use super::database::{execute, make_state_dir};

/// Lays the data of a private database with the newest schema into a state directory where there is none. Its server does not wait
/// for the disk, unlike those of users: no test lets the machine crash.
pub(crate) fn lay_private_database(state_dir: &Path) {
    let directory = state_dir.join("postgres");
    fs::create_dir_all(state_dir).expect("made");
    // Whose account Postgres runs under has to pass.
    fs::DirBuilder::new().mode(0o711).create(&directory).expect("made");
    copy(&private_data(), &directory.join("data"));
}

/// Where the data lie that are copied. Who comes first makes them.
fn private_data() -> PathBuf {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let programs = runtime.block_on(Cluster::inspect(place)).expect("looked").binaries.expect("Postgres").directory;
    let data = place.join(format!("private-{}", key(&programs.display().to_string())));
    let lock = fs::File::create(place.join("private.lock")).expect("a lock");
    lock.lock().expect("locked");
    if !data.exists() {
        remove_older(place);
        let state_dir = make_state_dir();
        runtime.block_on(async {
            let target = Target::Private { state_dir: state_dir.path().to_owned() };
            Store::open(target).await.expect("a new database").close().await.expect("its end");
        });
        let made = state_dir.path().join("postgres/data");
        let settings = made.join("postgresql.auto.conf");
        let text = fs::read_to_string(&settings).expect("settings") + "fsync = off\n";
        fs::write(settings, text).expect("written");
        let unfinished = place.join(format!("private-unfinished-{}", std::process::id()));
        copy(&made, &unfinished);
        fs::rename(&unfinished, &data).expect("in place");
    }
    data
}

/// Data of another schema, or of a process that was killed while it made them: each takes some ten megabytes.
fn remove_older(place: &Path) {
    for entry in fs::read_dir(place).expect("readable").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.file_name().to_string_lossy().starts_with("private-")
        {
            fs::remove_dir_all(entry.path()).expect("removed");
        }
    }
}

/// With owners and modes; what is nothing but zeros takes no place.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to).status();
    assert!(status.expect("cp").success(), "{} is not copied", from.display());
}

/// The name of a database of the shared server that has the newest schema and nothing else. Who comes first makes it.
pub(crate) async fn template(cluster: &Cluster, server: &mut PgConnection) -> String {
    let name = format!("template_{}", key(""));
    let exists = format!("select exists (select from pg_database where datname = '{name}')");
    let exists = async |server: &mut PgConnection| -> bool {
        sqlx::query_scalar(sqlx::AssertSqlSafe(exists.clone())).fetch_one(server).await.expect("an answer")
    };
    if !exists(server).await {
        execute(server, "select pg_advisory_lock(1)".to_owned()).await;
        if !exists(server).await {
            // Under a name by which it is removed if this process dies.
            let unfinished = format!("test_{}_template", std::process::id());
            execute(server, format!("create database {unfinished}")).await;
            use sqlx::ConnectOptions;
            let url = cluster.connect_options().database(&unfinished).to_url_lossy().to_string();
            Store::open(Target::Url(url)).await.expect("the schema").close().await.expect("its end");
            execute(server, format!("alter database {unfinished} rename to {name}")).await;
        }
        execute(server, "select pg_advisory_unlock(1)".to_owned()).await;
    }
    name
}

/// Says which schema it is, and what else it depends on.
fn key(more: &str) -> String {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).expect("migrations").flatten();
    let mut files: Vec<_> = files.map(|file| file.path()).collect();
    files.sort();
    let mut text = more.to_owned();
    files.iter().for_each(|file| text += &fs::read_to_string(file).expect("a migration"));
    ContentHash::of(text.as_bytes()).as_str().chars().filter(char::is_ascii_alphanumeric).take(24).collect()
}
