-- The output of a step, as bytes: hosts print what they like. The offset is the key, so that a chunk which arrives again after a
-- lost connection changes nothing.
create table step_log (
    run_id     uuid   not null references run,
    host_index int    not null check (host_index >= 0),
    step_index int    not null check (step_index >= 0),
    at_offset  bigint not null check (at_offset >= 0),
    content    bytea  not null check (octet_length(content) > 0),
    primary key (run_id, host_index, step_index, at_offset)
);
