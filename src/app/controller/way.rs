//! The ways to hosts that a controller keeps, as probes want them.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::AsyncReadExt;

use crate::edge::probe::{Answer, Stream, Undialed, Way};
use crate::edge::remote::{Command, Error, Exit, Remote};

/// So much of what a command prints is looked at.
const OUTPUT_LIMIT: u64 = 64 * 1024;

impl Way for Remote {
    fn name(&self) -> &str {
        Remote::name(self)
    }

    fn run<'a>(&'a self, words: &'a [&'a str]) -> BoxFuture<'a, Result<Answer, String>> {
        run(self, words).boxed()
    }

    fn log_in(&self) -> BoxFuture<'_, Result<Answer, String>> {
        let host = self.anew();
        // Whoever gives up waiting leaves it to be ended in order.
        let log_in = tokio::spawn(async move {
            let answer = run(&host, &["true"]).await;
            host.close().await;
            answer
        });
        log_in.map(|ended| ended.unwrap_or_else(|error| Err(error.to_string()))).boxed()
    }

    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn Stream>, Undialed>> {
        async move {
            let tunnel = Remote::dial(self, host, port).await.map_err(|error| match error {
                Error::NotConnected { is_closed: true, .. } => Undialed::Closed(error.into_fault().what),
                error => Undialed::Untold(error.into_fault().what),
            })?;
            Ok::<Box<dyn Stream>, _>(Box::new(tunnel))
        }
        .boxed()
    }
}

async fn run(host: &Remote, words: &[&str]) -> Result<Answer, String> {
    let argv = words.iter().map(|word| (*word).to_owned()).collect();
    let mut running = host.exec(Command { argv, stdin: Vec::new() }).await.map_err(|error| error.into_fault().what)?;
    let mut output = Vec::new();
    let read = async {
        (&mut running.stdout).take(OUTPUT_LIMIT).read_to_end(&mut output).await?;
        // What comes after it is read and forgotten, so that the command can end.
        tokio::io::copy(&mut running.stdout, &mut tokio::io::sink()).await
    };
    read.await.map_err(|error| error.to_string())?;
    let (exit, messages) = running.wait().await.map_err(|error| error.into_fault().what)?;
    let status = if let Exit::Status(status) = exit { Some(status) } else { None };
    Ok(Answer { status, output: String::from_utf8_lossy(&output).into_owned(), messages })
}
