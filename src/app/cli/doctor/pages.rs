//! The pages on which customers answer: whether this machine can show them, and whether customers can reach them.
//!
//! That `public_url` can be used at all, `turnus check` sees to.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use tokio::net::TcpListener;

use super::{Finding, missing, ok, warning};
use crate::domain::probe::template::Target;
use crate::domain::probe::{Check, HttpCheck, Patience, Probe};
use crate::domain::settings::delivery::Web;
use crate::edge::probe::{Scene, look};

/// In what list they stand.
const SUBJECT: &str = "pages";

pub(super) async fn look_at_pages(web: &Web, findings: &mut Vec<Finding>) {
    if let Some(address) = &web.listen {
        findings.push(look_at_address(address).await);
    }
    match (&web.listen, &web.public_url) {
        (Some(_), None) => {
            let hint = "say in `public_url` of `[web]` how customers reach the pages";
            findings.push(warning(SUBJECT, "nothing says how customers reach them: letters have no links", hint));
        }
        (None, Some(url)) => {
            let hint = "`listen` in `[web]` of turnus.toml says where, unless another machine shows them";
            findings.push(warning(SUBJECT, format!("letters lead to {url}, which this machine does not show"), hint));
        }
        (_, Some(url)) if url.starts_with("http://") => {
            let hint = "put a reverse proxy that speaks HTTPS before them, and its address in `public_url`";
            findings.push(warning(SUBJECT, format!("{url} can be reached from this machine only"), hint));
        }
        (_, Some(url)) => findings.push(ok(SUBJECT, format!("letters lead to {url}"))),
        (None, None) => {}
    }
}

/// It is free, or `turnus serve` is there already.
async fn look_at_address(address: &str) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => ok(SUBJECT, format!("`turnus serve` can listen on {address}")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => look_at_server(address).await,
        Err(error) => {
            let hint = "`listen` in `[web]` of turnus.toml has to be an address of this machine";
            missing(SUBJECT, format!("can't listen on `{address}`: {error}"), Some(hint.to_owned()))
        }
    }
}

async fn look_at_server(address: &str) -> Finding {
    let url = format!("http://{address}/healthz");
    let check = Check::Http(HttpCheck { contains: Some("ok".to_owned()), ..HttpCheck::get(&url) });
    let probe = Probe { check, patience: Patience { within_s: 0, ..Patience::default() } };
    let target = Target { address, vars: &BTreeMap::new() };
    let found = look(&probe, &Scene { target, secrets: &BTreeMap::new() }).await;
    if found.met {
        return ok(SUBJECT, format!("shown on {address}"));
    }
    let hint = "another program has this address, or `turnus serve` can't reach its database: its log tells";
    missing(SUBJECT, format!("`{address}` is taken, and shows no pages: {}", found.what), Some(hint.to_owned()))
}
