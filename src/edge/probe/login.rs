//! Whether somebody who is not logged in yet can log in on the host.

use tokio::time::Instant;

use super::Scene;

/// Logs in anew.
pub(super) async fn ask(scene: &Scene<'_>) -> Result<String, String> {
    let host = scene.host.ok_or("ssh: there is no way to the host")?;
    let begun = Instant::now();
    let answer = host.log_in().await.map_err(|why| format!("ssh: {why}"))?;
    let took_ms = begun.elapsed().as_millis();
    match answer.status {
        Some(0) => Ok(format!("ssh: a new login, {took_ms} ms")),
        _ => Err(format!("ssh: expected a new login, found {}", answer.trouble())),
    }
}
