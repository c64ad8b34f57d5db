//! The embedded templates of mails: three for each kind, over parts that they share. A shared part may include
//! those that stand after it in its list.

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!("../templates/", $name, ".hbs")))
    };
}

/// Pages, with escaping.
pub(in crate::edge::text) const HTML_TEMPLATES: [(&str, &str); 22] = [
    template!("mail/html/notice"),
    template!("mail/html/page"),
    template!("mail/html/hosts"),
    template!("mail/html/timeline"),
    template!("mail/html/rows"),
    template!("mail/html/link"),
    template!("mail/announcement/html"),
    template!("mail/reminder/html"),
    template!("mail/moved/html"),
    template!("mail/cancelled/html"),
    template!("mail/started/html"),
    template!("mail/finished/html"),
    template!("mail/failed/html"),
    template!("mail/missed/html"),
    template!("mail/acceptance_reminder/html"),
    template!("mail/period_report/html"),
    template!("mail/review_needed/html"),
    template!("mail/review_reminder/html"),
    template!("mail/run_failed/html"),
    template!("mail/undeliverable/html"),
    template!("mail/answer/html"),
    template!("mail/capacity_short/html"),
];

/// Plain texts and subjects.
pub(in crate::edge::text) const TEXT_TEMPLATES: [(&str, &str); 37] = [
    template!("mail/text/notice"),
    template!("mail/text/page"),
    template!("mail/text/hosts"),
    template!("mail/text/rows"),
    template!("mail/text/link"),
    template!("mail/announcement/subject"),
    template!("mail/reminder/subject"),
    template!("mail/moved/subject"),
    template!("mail/cancelled/subject"),
    template!("mail/started/subject"),
    template!("mail/finished/subject"),
    template!("mail/failed/subject"),
    template!("mail/missed/subject"),
    template!("mail/acceptance_reminder/subject"),
    template!("mail/period_report/subject"),
    template!("mail/review_needed/subject"),
    template!("mail/review_reminder/subject"),
    template!("mail/run_failed/subject"),
    template!("mail/undeliverable/subject"),
    template!("mail/answer/subject"),
    template!("mail/capacity_short/subject"),
    template!("mail/announcement/text"),
    template!("mail/reminder/text"),
    template!("mail/moved/text"),
    template!("mail/cancelled/text"),
    template!("mail/started/text"),
    template!("mail/finished/text"),
    template!("mail/failed/text"),
    template!("mail/missed/text"),
    template!("mail/acceptance_reminder/text"),
    template!("mail/period_report/text"),
    template!("mail/review_needed/text"),
    template!("mail/review_reminder/text"),
    template!("mail/run_failed/text"),
    template!("mail/undeliverable/text"),
    template!("mail/answer/text"),
    template!("mail/capacity_short/text"),
];
