-- One dated instance of a window. (`window` is a word of SQL.)
create table occurrence (
    id              uuid        primary key,
    customer        text        not null,
    window_name     text        not null,
    -- The local time that the rule gives, before shifts and moves: names the date for good, as RFC 5545's RECURRENCE-ID does.
    recurrence_id   timestamp   not null,
    -- Grows with each move, as RFC 5545's SEQUENCE does.
    sequence        int         not null default 0 check (sequence >= 0),
    moved_from      uuid        unique references occurrence,
    -- A date that a person chose is not corrected by the rule.
    chosen_by       text,
    job             text        not null,
    time_zone       text        not null,
    local_start     timestamp   not null,
    start_at        timestamptz not null,
    -- Close − cutoff: nothing starts later.
    latest_start_at timestamptz not null,
    end_at          timestamptz not null,
    -- Why this date (json of domain::calendar::Reason).
    reasons         json        not null,
    state           text        not null default 'planned'
                    check (state in ('planned', 'announced', 'confirmed', 'open', 'done', 'missed', 'skipped', 'cancelled', 'moved')),
    -- Why missed, skipped, cancelled or moved; while ahead and due: what it waits for.
    cause           text,
    -- The instants at which the customer is told, and pending updates are collected; null: nothing (more) to do.
    next_notice_at  timestamptz,
    review_at       timestamptz,
    announced_at    timestamptz,
    confirmed_at    timestamptz,
    confirmed_by    text,
    opened_at       timestamptz,
    finished_at     timestamptz,
    created_at      timestamptz not null default now(),
    constraint window_has_length check (start_at <= latest_start_at and latest_start_at <= end_at and start_at < end_at),
    constraint confirmation_is_whole check ((confirmed_at is null) = (confirmed_by is null)),
    constraint opened_iff_open_or_done check ((opened_at is not null) = (state in ('open', 'done'))),
    constraint finished_iff_ended check ((finished_at is not null) = (state in ('done', 'missed', 'skipped', 'cancelled', 'moved'))),
    constraint end_has_cause check (cause is not null or state not in ('missed', 'skipped', 'cancelled', 'moved'))
);

-- A date of a window is there once; what was moved away stays as history.
create unique index one_occurrence_per_date on occurrence (customer, window_name, recurrence_id) where state <> 'moved';
-- The ticks look at what is due, and at nothing else.
create index occurrence_due on occurrence (start_at) where state in ('planned', 'announced', 'confirmed');
create index occurrence_notice on occurrence (next_notice_at) where next_notice_at is not null;
create index occurrence_review on occurrence (review_at) where review_at is not null;
create index occurrence_of_customer on occurrence (customer, start_at);

-- At most one run for an occurrence: the judge when two controllers open the same.
alter table run add column occurrence uuid unique references occurrence;
-- How long a host took, for estimates.
alter table host_run add column started_at timestamptz;
create index host_run_of_host on host_run (customer, host, finished_at) where state = 'finished';
