//! The picture of how full a path was, and the words beside it.

use super::{HEIGHT, NOW, PathView, WIDTH, views};
use crate::domain::inventory::Locale;
use crate::domain::report::Report;
use crate::domain::report::capacity::samples::hosts;
use crate::domain::report::samples::Story;
use crate::edge::text::catalogue::Catalogue;
use crate::edge::text::reader::Reader;
use crate::edge::text::tests::TEXTS;
use crate::edge::text::{Format, LOCALES};

fn report() -> Report {
    Report { capacity: hosts(), ..Story::new().report() }
}

fn english() -> Vec<PathView> {
    let (_, text) = LOCALES[1];
    let catalogue = Catalogue::parse(Locale::En, text).unwrap();
    views(&report(), &Reader::new(&catalogue, "Europe/Berlin")).unwrap()
}

fn of<'a>(views: &'a [PathView], name: &str) -> &'a PathView {
    views.iter().find(|view| view.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn told(view: &PathView) -> Vec<String> {
    view.rows.iter().map(|row| format!("{}: {}", row.label, row.value).replace("\u{a0}", " ")).collect()
}

#[test]
fn each_path_is_told_with_what_runs_out_first() {
    let views = english();
    assert_eq!(
        told(of(&views, "db01 /backup")),
        [
            "Free: 72.0 GiB of 100.0 GiB",
            "Full: in about 36 days (between 30 and 44)",
            "Last backup: 9.0 GiB; room for 8 more",
            "Measured: 2026-03-10 03:00 +01:00",
        ]
    );
    let check = |name, free: &str, full: &str, tone| {
        let view = of(&views, name);
        let told = told(view);
        assert_eq!((told[0].as_str(), told[1].as_str(), view.tone), (free, full, tone), "{name}");
    };
    let perhaps = "Full: perhaps in 36 days (30 at the earliest), perhaps not at all";
    check("db01 /srv/<b>", "Free: 81.0 GiB of 100.0 GiB", perhaps, "bad");
    let inodes = "Full: inodes (number of files): in about 36 days (between 30 and 40)";
    check("db01 /var/mail", "Free: 899,991 of 1,000,000", inodes, "calm");
    check("db01 /", "Free: 90.0 GiB of 100.0 GiB", "Full: not filling up", "good");
    check("db01 /full", "Free: 0 bytes of 100.0 GiB", "Full: full", "bad");
    let few = "Full: not yet foreseeable: 1 measurement of 4 needed";
    check("db01 /new", "Free: 90.0 GiB of 100.0 GiB", few, "calm");
    assert_eq!(told(of(&views, "db01 /mnt/nas")), ["Not measured: no answer within 10 s"]);
}

#[test]
fn the_picture_stays_within_its_frame_and_ends_where_it_may_be_full() {
    let views = english();
    let backup = of(&views, "db01 /backup").chart.as_ref().unwrap();
    let corners: Vec<(f64, f64)> = backup
        .area
        .split(' ')
        .map(|corner| corner.split_once(',').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect();
    assert_eq!(corners.len(), 12, "ten measurements above the ground line");
    assert!(corners.iter().all(|(x, y)| (0.0..=NOW).contains(x) && (0.0..=HEIGHT).contains(y)), "{corners:?}");
    // 10% were used at first, 28% at last.
    assert_eq!((corners[1], corners[10]), ((0.0, 54.0), (NOW, 43.2)));
    let ahead = backup.ahead.as_ref().unwrap();
    assert_eq!((&*ahead.x1, &*ahead.y1, &*ahead.x2), ("420.0", "43.2", "600.0"), "36 days are beyond the picture");
    let y2: f64 = ahead.y2.parse().unwrap();
    assert!(y2 > 0.0 && y2 < 43.2 && WIDTH > NOW, "{y2}");
    assert_eq!(backup.description, "/backup on db01: used from 2026-03-01 to 2026-03-10, 28 % at last");
    assert!(of(&views, "db01 /new").chart.is_none(), "one measurement is no line");
    assert!(of(&views, "db01 /").chart.as_ref().unwrap().ahead.is_none(), "what does not fill has no end");
}

#[test]
fn the_report_has_them_in_every_form_and_without_them_says_nothing() {
    let texts = &*TEXTS;
    let text = texts.render_report(&report(), Locale::En, Format::Text).unwrap();
    assert!(text.contains("db01 /backup\n  Free"), "{text}");
    let html = texts.render_report(&report(), Locale::En, Format::Html).unwrap();
    assert!(html.contains("<polygon points=\"0.0,60.0 0.0,54.0 "), "{html}");
    assert!(html.contains("/srv/&lt;b&gt;") && !html.contains("/srv/<b>"), "what hosts say is escaped");
    let without = texts.render_report(&Story::new().report(), Locale::En, Format::Text).unwrap();
    assert!(!without.contains("Disk space\n"), "{without}");
}
