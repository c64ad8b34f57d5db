-- A host's part in a run. It exists from the run's creation on, so that the host is taken before anything is done to it.
create table host_run (
    run_id      uuid        not null references run,
    host_index  int         not null check (host_index >= 0),
    customer    text        not null,
    host        text        not null,
    state       text        not null default 'open' check (state in ('open', 'finished')),
    -- The word only; the details are in the event.
    outcome     text        check (outcome in ('updated', 'nothing_to_do', 'skipped', 'unreachable',
                                               'failed_and_rolled_back', 'failed', 'unknown')),
    finished_at timestamptz,
    primary key (run_id, host_index),
    constraint finished_has_outcome check ((state = 'finished') = (outcome is not null)),
    constraint finished_has_time check ((state = 'finished') = (finished_at is not null))
);

-- The judge when two runs want one host.
create unique index one_open_host_run on host_run (customer, host) where state = 'open';
