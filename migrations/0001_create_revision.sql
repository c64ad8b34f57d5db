-- What a run was made from stays readable after the file in git has moved on, so each content is kept once, under its hash.
create table revision (
    hash       text        primary key check (hash ~ '^[0-9a-f]{64}$'),
    kind       text        not null check (kind in ('inventory', 'job', 'settings')),
    name       text        not null,
    content    text        not null,
    created_at timestamptz not null default now()
);
