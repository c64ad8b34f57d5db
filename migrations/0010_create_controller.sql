-- The daemons that share this database, and how each of their ticks fares.
create table controller (
    name       text        primary key,
    version    text        not null,
    started_at timestamptz not null default clock_timestamp(),
    seen_at    timestamptz not null default clock_timestamp(),
    -- json: name of the tick → { last_ok_at, last_error, last_error_at, failures_in_row }
    ticks      json        not null default '{}'
);
