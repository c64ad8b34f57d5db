-- What was pending on a customer's hosts when somebody looked. Each look is a row.
create table collection (
    number       bigint      generated always as identity primary key,
    customer     text        not null,
    -- For which date; null: for none in particular, or for a run by hand.
    occurrence   uuid        references occurrence,
    collected_at timestamptz not null default clock_timestamp(),
    -- A person, or a controller.
    collected_by text        not null,
    -- Of the list that a person decides on (domain::review::Collection::hash).
    list_hash    text        not null check (list_hash ~ '^[0-9a-f]{64}$'),
    -- json of domain::review::Collection.
    findings     json        not null
);
create index collection_of_customer on collection (customer, number);
create index collection_of_occurrence on collection (occurrence, number) where occurrence is not null;

create trigger collection_is_append_only before update or delete on collection for each row execute function refuse_change();
create trigger collection_is_not_emptied before truncate on collection for each statement execute function refuse_change();
