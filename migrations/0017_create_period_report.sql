-- Customers that are told by themselves what was done in each month, quarter or year, as applied.
create table period_report (
    customer  text        primary key,
    length    text        not null check (length in ('month', 'quarter', 'year')),
    -- Where its periods end at midnight.
    time_zone text        not null,
    -- When the customer was first applied: nothing is told of periods before.
    since     timestamptz not null,
    -- The period that was told of last ('2026-Q4').
    told      text
);
