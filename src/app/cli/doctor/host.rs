//! `turnus doctor HOST`: by which transport a host is reached, and whether a run could begin there. Changes nothing.

use tokio::io::AsyncReadExt;

use super::{Finding, finish, missing, ok};
use crate::app::cli::Format;
use crate::app::cli::context::Context;
use crate::app::cli::exit::{self, Failure};
use crate::app::cli::trust::find_target;
use crate::edge::remote::{Command, Error, Exit, Remote, SshControl, SshHost, SshTarget, choose_transports};

/// What a run needs of a host's account: that it may be used, and who it is.
const WHO: [&str; 2] = ["id", "-un"];
/// No name of an account is longer; an account may greet before.
const NAME_LIMIT: u64 = 4096;

pub(in crate::app::cli) async fn run(context: &Context, host: &str, format: Format) -> Result<exit::Exit, Failure> {
    let target = find_target(context, host)?;
    let mut findings = Vec::new();
    for choice in choose_transports(std::slice::from_ref(&target)).await {
        findings.push(match choice {
            Ok(choice) => ok("transport", choice.to_string()),
            Err(error) => wrong("transport", error),
        });
    }
    findings.push(look_at_login(&target).await);
    Ok(finish(&findings, format))
}

async fn look_at_login(target: &SshTarget) -> Finding {
    let control = match SshControl::open(target.settings.clone()) {
        Ok(control) => control,
        Err(error) => return wrong("login", error),
    };
    let remote = Remote::Ssh(SshHost::new(control, &target.name, &target.connection));
    let answer = log_in(&remote).await;
    remote.close().await;
    answer
}

async fn log_in(remote: &Remote) -> Finding {
    let argv = WHO.map(str::to_owned).to_vec();
    let mut running = match remote.exec(Command { argv, stdin: Vec::new() }).await {
        Ok(running) => running,
        Err(error) => return wrong("login", error),
    };
    let mut name = String::new();
    // What can't be read ends with the line, and that shows below.
    let _ = (&mut running.stdout).take(NAME_LIMIT).read_to_string(&mut name).await;
    match running.wait().await {
        Ok((Exit::Status(0), _)) => ok("login", format!("works, commands run as {}", name.trim())),
        Ok((_, messages)) => missing("login", format!("`{}` fails: {messages}", WHO.join(" ")), None),
        Err(error) => wrong("login", error),
    }
}

fn wrong(subject: &'static str, error: Error) -> Finding {
    let hint = error.hint();
    missing(subject, error.to_string(), hint)
}
