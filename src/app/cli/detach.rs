//! `turnus run --detach`: hands a run to the daemons.

use anyhow::anyhow;
use serde_json::json;

use super::Format;
use super::exit::Failure;
use crate::app::console::{print, say};
use crate::edge::store::Store;
use crate::edge::store::controller::list_controllers;
use crate::edge::store::run::RunNumber;

/// A daemon that has not reported for so long is taken for dead; it reports every ten seconds.
pub(super) const SILENT_S: f64 = 60.0;

/// Refuses what nobody would take: the run would hold its hosts and not begin.
pub(super) async fn expect_controller(store: &Store) -> Result<(), Failure> {
    let mut transaction = store.begin().await?;
    let controllers = list_controllers(&mut transaction).await?;
    if controllers.iter().any(|controller| controller.silent_s < SILENT_S) {
        return Ok(());
    }
    Err(Failure::usage(anyhow!("no daemon has been heard of for {SILENT_S} s, so nobody would take the run"))
        .hint("start one with `turnus serve`, or leave out --detach; `turnus doctor` lists the daemons"))
}

/// Says which run was made.
pub(super) fn tell(number: RunNumber, format: Format) {
    match format {
        Format::Json => print(&json!({ "run_number": number }).to_string()),
        Format::Table => {
            print(&format!("run {number} is handed to the daemons"));
            say(&format!(
                "\nhint: `turnus show {number}` tells how it goes, `turnus log {number} --follow` what it prints"
            ));
        }
    }
}
