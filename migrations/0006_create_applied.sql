-- What `turnus apply` published last: the daemon works from this, on every machine alike, never from somebody's files.
create table applied (
    kind       text        not null check (kind in ('inventory', 'job', 'settings', 'calendar')),
    name       text        not null,
    revision   text        not null references revision,
    applied_at timestamptz not null default now(),
    applied_by text        not null,
    -- For inventories: dates are in `occurrence` up to here. Null: none yet.
    materialised_until timestamptz,
    -- For inventories: why the daemon can't use it, if it can't. The others go on.
    fault      text,
    primary key (kind, name)
);

-- The tick asks for those that end soonest, without reading the others.
create index applied_to_extend on applied (materialised_until) where kind = 'inventory' and fault is null;

alter table revision drop constraint revision_kind_check;
alter table revision add constraint revision_kind_check check (kind in ('inventory', 'job', 'settings', 'calendar'));

-- Who is told, as applied: notifications are made from this in the transaction of their cause.
create table contact (
    -- Null: the provider's own team.
    customer text,
    name     text   not null,
    email    text   not null,
    locale   text   not null,
    receives text[] not null check (receives <@ array['announcement', 'report', 'team'])
);
create unique index one_contact_per_address on contact (coalesce(customer, ''), lower(email));
