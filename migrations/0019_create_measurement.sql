-- How full the file systems of hosts were: one row for each path and look.
create table measurement (
    customer     text        not null,
    host         text        not null,
    -- One that is watched, or where a file system is mounted.
    path         text        not null,
    measured_at  timestamptz not null,
    -- In which run; null: by the daily collection, or by hand.
    run          uuid        references run,
    mount        text        not null,
    total_bytes  bigint      not null check (total_bytes > 0),
    -- For ordinary users.
    free_bytes   bigint      not null check (free_bytes between 0 and total_bytes),
    -- Null: the file system has no limit.
    total_inodes bigint      check (total_inodes > 0),
    free_inodes  bigint      check (free_inodes between 0 and total_inodes),
    primary key (customer, host, path, measured_at),
    constraint inodes_are_whole check ((total_inodes is null) = (free_inodes is null))
);
create index measurement_by_age on measurement (measured_at);
create index measurement_of_run on measurement (run) where run is not null;

-- Each look at a host, also one that found nobody.
create table capacity_look (
    customer               text        not null,
    host                   text        not null,
    looked_at              timestamptz not null,
    run                    uuid        references run,
    -- Of the daily collection: which day, in UTC.
    day                    date,
    memory_total_bytes     bigint,
    memory_available_bytes bigint,
    -- Watched paths that could not be measured: json of domain::capacity::Unmeasured.
    unmeasured             json        not null default '[]',
    -- Why the host could not be looked at.
    fault                  text,
    primary key (customer, host, looked_at)
);
-- The judge when two controllers collect the same.
create unique index one_daily_look on capacity_look (customer, host, day) where day is not null;
create index capacity_look_by_age on capacity_look (looked_at);

-- Which customers were looked at on which day, and who is at it.
create table capacity_round (
    customer     text        primary key,
    done_on      date,
    leased_until timestamptz
);

-- Paths that the team was told of, until they are better again.
create table capacity_alarm (
    customer  text        not null,
    host      text        not null,
    path      text        not null,
    raised_at timestamptz not null,
    primary key (customer, host, path)
);

alter table notification drop constraint notification_kind_check;
alter table notification add constraint notification_kind_check
    check (kind in ('announcement', 'reminder', 'moved', 'cancelled', 'started', 'finished', 'failed', 'missed',
                    'acceptance_reminder', 'period_report', 'review_needed', 'review_reminder', 'run_failed', 'undeliverable',
                    'answer', 'capacity_short'));
