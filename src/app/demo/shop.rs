//! The demo's shop: a small HTTP service that says which version it is and how many orders it has.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the shop in `directory` until it is killed. The version is that of its start, as with any real program.
///
/// # Errors
/// If the shop's files can't be read, or its port is taken.
pub async fn serve(directory: &Path) -> anyhow::Result<()> {
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).with_context(|| format!("can't read {name}"));
    let version = read("current/version")?;
    let broken = directory.join("current/broken").exists();
    let port: u16 = read("port")?.trim().parse().context("the port is no number")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.context("the port is taken")?;
    loop {
        let (stream, _) = listener.accept().await?;
        let orders = read("data/orders.txt").map_or(0, |orders| orders.lines().count());
        let answer = match broken {
            true => response("500 Internal Server Error", "the shop is closed"),
            false => response("200 OK", &format!("shop {}: {orders} orders", version.trim())),
        };
        // A caller that goes away is its own affair.
        let _ = tokio::time::timeout(PATIENCE, reply(stream, &answer)).await;
    }
}

fn response(status: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

async fn reply(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// What the shop on this port answers.
///
/// # Errors
/// If nobody answers.
pub async fn ask(port: u16) -> anyhow::Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
    };
    tokio::time::timeout(PATIENCE, ask).await.context("it took too long")?
}
