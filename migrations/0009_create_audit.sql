-- Who did what to the calendar, and why. People and controllers alike.
create table audit (
    number     bigint      generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    actor      text        not null,
    action     text        not null,
    customer   text,
    occurrence uuid,
    reason     text,
    detail     json        not null default '{}'
);
create index audit_of_occurrence on audit (occurrence) where occurrence is not null;
create index audit_of_customer on audit (customer, number);

create trigger audit_is_append_only before update or delete on audit for each row execute function refuse_change();
create trigger audit_is_not_emptied before truncate on audit for each statement execute function refuse_change();
