-- One execution of a job. The events are the truth; `state` is their fold, kept here so that lists and uniqueness need no replay.
create table run (
    id                  uuid        primary key,
    -- What people type. Numbers of refused runs are not used again: gaps are normal.
    number              bigint      generated always as identity unique,
    customer            text        not null,
    job                 text        not null,
    -- json, not jsonb: what was hashed is what is kept.
    plan                json        not null,
    plan_hash           text        not null check (plan_hash ~ '^[0-9a-f]{64}$'),
    customer_revision   text        not null references revision,
    job_revision        text        not null references revision,
    -- Why by hand, or why outside a window (G2).
    reason              text,
    started_by          text        not null,
    state               text        not null default 'running'
                        check (state in ('running', 'suspended', 'succeeded', 'failed', 'cancelled')),
    created_at          timestamptz not null default now(),
    finished_at         timestamptz,
    -- The same request sent twice gives one run.
    idempotency_key     text        unique,
    -- The lease: who may drive the run, until when by the clock of the database. The epoch outlives it: it is the fencing token.
    lease_owner         text,
    lease_until         timestamptz,
    epoch               bigint      not null default 0 check (epoch >= 0),
    -- A wish, not a state: the controller records the event when it has seen it.
    cancel_requested_at timestamptz,
    cancel_requested_by text,
    constraint finished_iff_closed check ((finished_at is null) = (state in ('running', 'suspended'))),
    constraint lease_is_whole check ((lease_owner is null) = (lease_until is null)),
    constraint cancel_request_is_whole check ((cancel_requested_at is null) = (cancel_requested_by is null))
);

-- Looking for lapsed runs must not read the history.
create index open_run on run (number) where state in ('running', 'suspended');
create index run_of_customer on run (customer, number);
