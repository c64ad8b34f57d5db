//! What is behind a link: shown to whoever has it, answered by whoever has the code as well.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form as Fields, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;

use super::Pages;
use super::date::DateMatter;
use super::form::{Typed, Wanted};
use super::reply::{Reply, Shown, finish, trouble};
use super::report::ReportMatter;
use crate::domain::answer::{Access, MAX_NAME, Purpose};
use crate::domain::line::clean_line;
use crate::edge::store::answer::StoredAnswer;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::link::{StoredLink, Subject, Tried, find_link, try_code};
use crate::edge::store::{DatabaseConnection, database_now};
use crate::edge::text::page::{Complaint, Filled, Form, Page, Said, Trouble};

/// What is in the address; what can't be a text is no token.
type Token = Result<Path<String>, PathRejection>;

fn read(token: Token) -> String {
    token.map(|Path(token)| token).unwrap_or_default()
}

/// GET: the page. Changes nothing.
pub(super) async fn show(State(pages): State<Arc<Pages>>, token: Token, headers: HeaderMap) -> Response {
    let began = Instant::now();
    let outcome = show_link(&pages, &read(token)).await;
    finish(&pages, &headers, outcome, began).await
}

async fn show_link(pages: &Pages, token: &str) -> anyhow::Result<Reply> {
    let mut transaction = pages.store.begin().await?;
    let Some((link, matter)) = open(&mut transaction, pages, token).await? else { return Ok(Reply::NotFound) };
    let form = form(&link, &matter, Filled::default());
    Ok(matter.shown(&link, token, StatusCode::OK, form))
}

/// GET: the whole report. Changes nothing.
pub(super) async fn show_report(State(pages): State<Arc<Pages>>, token: Token, headers: HeaderMap) -> Response {
    let began = Instant::now();
    let outcome = show_document(&pages, &read(token)).await;
    finish(&pages, &headers, outcome, began).await
}

async fn show_document(pages: &Pages, token: &str) -> anyhow::Result<Reply> {
    let mut transaction = pages.store.begin().await?;
    match open(&mut transaction, pages, token).await? {
        Some((link, Matter::Report(report))) => Ok(Reply::Document(report.document(pages, link.locale)?)),
        _ => Ok(Reply::NotFound),
    }
}

/// POST: an answer.
pub(super) async fn answer(
    State(pages): State<Arc<Pages>>,
    token: Token,
    headers: HeaderMap,
    fields: Result<Fields<Typed>, FormRejection>,
) -> Response {
    let began = Instant::now();
    match fields {
        Ok(Fields(typed)) => {
            let outcome = take_answer(&pages, &read(token), &typed).await;
            finish(&pages, &headers, outcome, began).await
        }
        Err(refused) => trouble(&pages, &headers, refused.status(), Trouble::Refused),
    }
}

async fn take_answer(pages: &Pages, token: &str, typed: &Typed) -> anyhow::Result<Reply> {
    let mut transaction = pages.store.begin().await?;
    let Some((link, matter)) = open(&mut transaction, pages, token).await? else { return Ok(Reply::NotFound) };
    // The page tells what was decided meanwhile.
    let back = || Reply::Back(token.to_owned());
    if !matter.is_open() {
        return Ok(back());
    }
    let again = |status, complaint| {
        let form = form(&link, &matter, typed.filled(complaint));
        Ok(matter.shown(&link, token, status, form))
    };
    // What could not be kept costs no attempt.
    let wanted = match matter.read(typed) {
        Ok(wanted) => wanted,
        Err(complaint) => return again(StatusCode::UNPROCESSABLE_ENTITY, complaint),
    };
    match try_code(&mut transaction, &link, token, &typed.code).await? {
        Tried::Right => {}
        Tried::Wrong { left } => {
            transaction.commit().await.map_err(StoreError::from)?;
            let locked = StoredLink { access: if left == 0 { Access::Locked } else { link.access }, ..link.clone() };
            let form = form(&locked, &matter, typed.filled(Complaint::WrongCode { left }));
            return Ok(matter.shown(&link, token, StatusCode::FORBIDDEN, form));
        }
        Tried::Locked => return Ok(matter.shown(&link, token, StatusCode::FORBIDDEN, Form::Locked)),
    }
    let by = clean_line(format!("{} <{}>", link.recipient_name, link.recipient).as_bytes(), MAX_NAME);
    if matter.keep(&mut transaction, &link, &wanted, &by).await? {
        transaction.commit().await.map_err(StoreError::from)?;
        tracing::info!(customer = %link.customer, decision = wanted.decision.as_str(), "a customer has answered");
    }
    Ok(back())
}

/// What a link is about.
enum Matter {
    Date(Box<DateMatter>),
    Report(Box<ReportMatter>),
}

async fn open(
    connection: &mut DatabaseConnection,
    pages: &Pages,
    token: &str,
) -> anyhow::Result<Option<(StoredLink, Matter)>> {
    let now: Timestamp = database_now(connection).await?;
    let Some(link) = find_link(connection, token, now).await? else { return Ok(None) };
    let matter = match link.subject {
        Subject::Occurrence(id) => {
            DateMatter::read(connection, pages, id, now).await?.map(|date| Matter::Date(Box::new(date)))
        }
        Subject::Run(id) => ReportMatter::read(connection, id, now).await?.map(|it| Matter::Report(Box::new(it))),
    };
    Ok(matter.map(|matter| (link, matter)))
}

fn form(link: &StoredLink, matter: &Matter, filled: Filled) -> Form {
    match link.access {
        _ if !matter.is_open() => Form::Closed,
        Access::Open => Form::Open(filled),
        Access::Locked | Access::Expired => Form::Locked,
    }
}

impl Matter {
    fn is_open(&self) -> bool {
        match self {
            Self::Date(date) => date.is_open(),
            Self::Report(report) => report.is_open(),
        }
    }

    fn read(&self, typed: &Typed) -> Result<Wanted, Complaint> {
        match self {
            Self::Date(date) => {
                let wanted = typed.read(Purpose::Confirm)?;
                date.check(&wanted).map(|()| wanted)
            }
            Self::Report(_) => typed.read(Purpose::Report),
        }
    }

    async fn keep(
        &self,
        connection: &mut DatabaseConnection,
        link: &StoredLink,
        wanted: &Wanted,
        by: &str,
    ) -> anyhow::Result<bool> {
        match self {
            Self::Date(date) => date.keep(connection, link, wanted, by).await,
            Self::Report(report) => report.keep(connection, link, wanted, by).await,
        }
    }

    fn shown(&self, link: &StoredLink, token: &str, status: StatusCode, form: Form) -> Reply {
        let (page, time_zone): (Page, &str) = match self {
            Self::Date(date) => (date.page(form), date.time_zone()),
            Self::Report(report) => (report.page(token, form), report.time_zone()),
        };
        Reply::Page(Box::new(Shown {
            status,
            page,
            locale: link.locale,
            time_zone: time_zone.to_owned(),
            recipient: clean_line(link.recipient_name.as_bytes(), MAX_NAME),
        }))
    }
}

/// An answer as pages tell it.
pub(super) fn said(answer: &StoredAnswer) -> Said {
    Said {
        decision: answer.decision,
        by: answer.said_by.clone(),
        at: answer.at,
        wish: answer.wish,
        remark: answer.remark.clone(),
    }
}
