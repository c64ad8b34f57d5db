-- The record of a run: what happened, in order. The key decides when two controllers believe that they drive the same run.
create table run_event (
    run_id     uuid        not null references run,
    seq        bigint      not null check (seq > 0),
    at         timestamptz not null,
    host_index int         check (host_index >= 0),
    step_index int         check (step_index >= 0),
    kind       text        not null,
    -- json, not jsonb: comes back exactly as it was written, and takes U+0000, which hosts do print.
    detail     json        not null,
    primary key (run_id, seq)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;

-- A record that can be corrected is not a record.
create trigger run_event_is_append_only before update or delete on run_event
    for each row execute function refuse_change();
create trigger run_event_is_not_emptied before truncate on run_event
    for each statement execute function refuse_change();
