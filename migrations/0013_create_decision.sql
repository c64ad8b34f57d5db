-- What a named person said of a list: for a date, or for one run by hand.
create table decision (
    number     bigint      generated always as identity primary key,
    collection bigint      not null references collection,
    occurrence uuid        references occurrence,
    run        uuid        unique references run,
    verdict    text        not null check (verdict in ('approve', 'reject')),
    decided_at timestamptz not null default clock_timestamp(),
    decided_by text        not null check (decided_by <> ''),
    note       text,
    -- json of domain::review::Selection: what was chosen of the list, and the changes that this meant, by host.
    selection  json        not null default '{}',
    changes    json        not null default '{}',
    -- Hash of exactly the list that was decided on.
    list_hash  text        not null check (list_hash ~ '^[0-9a-f]{64}$'),
    -- The decision whose place it takes. Another can't take the same place.
    replaces   bigint      unique references decision,
    replaced_at timestamptz,
    constraint about_one_thing check (num_nonnulls(occurrence, run) = 1),
    constraint rejection_allows_nothing check (verdict = 'approve' or changes::text = '{}')
);

-- The judge when two people decide at the same time.
create unique index one_standing_decision on decision (occurrence) where replaced_at is null;
create index decision_of_occurrence on decision (occurrence, number) where occurrence is not null;
